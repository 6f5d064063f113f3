//! The commands themselves, built beside the test or command that runs them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use parking_lot::Mutex;

/// Where they are. Stories that ask while they are built wait for it, and build nothing themselves.
static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The path of a command of the workspace, e.g. `connectd`.
pub fn path(name: &str) -> Result<PathBuf> {
    let mut built = BUILT.lock();
    let dir = match built.take() {
        Some(dir) => dir,
        None => build()?,
    };
    let path = dir.join(name);
    *built = Some(dir);
    drop(built);
    ensure!(path.exists(), "{} was not built", path.display());
    Ok(path)
}

/// With the profile and into the directory of what is running; where nothing changed, this takes no time.
fn build() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let beside = this.parent().context("a command lies in a directory")?;
    // A command lies in target/<profile>, a test one deeper.
    let dir = if beside.ends_with("deps") {
        beside.parent().context("deps lies in target/<profile>")?
    } else {
        beside
    };
    let profile = match dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let target = dir
        .parent()
        .context("a profile lies in a target directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // What cargo tells a test or a command of its package: build scripts that watch it would build all anew each time.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        }) {
            command.env_remove(name);
        }
    }
    let built = command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["build", "--quiet", "--offline", "--workspace", "--bins"])
        // There are none, but whoever builds examples builds with what dev-dependencies ask of other crates, as
        // `cargo test` has done already. Without it, all is built a second time.
        .arg("--examples")
        .args(["--profile", profile])
        .args(connect_points::ARMED.then_some("--features=connect-points/armed"))
        .arg("--target-dir")
        .arg(target)
        .status()?;
    ensure!(built.success(), "the commands do not build");
    Ok(dir.to_owned())
}
