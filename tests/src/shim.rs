//! What is loaded before libc, so that a process sees another disk or another clock than the machine has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Compiles `shim/<name>.c` into `dir`, for `LD_PRELOAD`.
pub fn compile(name: &str, dir: &Path) -> Result<PathBuf> {
    let source = format!("{}/shim/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let shim = dir.join(name).with_extension("so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&shim)
        .arg(source)
        .status()
        .context("a C compiler, `cc`, has to be there")?;
    ensure!(compiled.success(), "the shim does not compile");
    Ok(shim)
}
