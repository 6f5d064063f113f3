//! `connectd doctor`: what it tells of a daemon that is well, and of what is wrong with one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use connect_tests::apart::Apart;
use connect_tests::processes::run;
use connect_tests::world::World;
use serde_json::{Value, json};

/// The report, and whether it ended well.
fn examined(arguments: &[&str]) -> Result<(Value, bool)> {
    let output = run("connectd", &[&["doctor", "--json"], arguments].concat())?;
    let report = serde_json::from_slice(&output.stdout)?;
    Ok((report, output.status.success()))
}

fn places<'a>(state_dir: &'a Path, socket: &'a Path) -> Result<[&'a str; 4]> {
    Ok([
        "--state-dir",
        state_dir.to_str().context("a path")?,
        "--socket",
        socket.to_str().context("a path")?,
    ])
}

fn check<'a>(report: &'a Value, name: &str) -> Result<&'a Value> {
    let checks = report["checks"].as_array().context("checks")?;
    let named = checks.iter().find(|check| check["name"] == name);
    named.with_context(|| format!("{name} in {report}"))
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(mode),
    )?)
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_daemon_that_is_well_nothing_fails_and_nothing_is_left() -> Result<()> {
    let world = World::new().await?;
    let alice = Apart::new(&world, "alice", Vec::new()).await?;
    let before = std::fs::read_dir(&alice.state_dir)?.count();
    let (report, healthy) = examined(&places(&alice.state_dir, alice.socket())?)?;
    assert!(healthy, "{report:#}");
    assert_eq!(report["healthy"], true);
    let opens = format!(
        "file: it has what opens the keys in {}",
        alice.state_dir.display()
    );
    for (name, found) in [
        ("core_dumps", "off"),
        ("freed_memory", "overwritten"),
        ("database_memory", "overwritten when it is given back"),
        ("keystore", opens.as_str()),
        ("boot_clock", "readable"),
    ] {
        let check = check(&report, name)?;
        assert_eq!(
            (&check["level"], &check["found"]),
            (&json!("ok"), &json!(found))
        );
    }
    let socket = check(&report, "socket")?["found"].as_str();
    assert!(socket.context("a text")?.ends_with("connectd answers"));
    assert_eq!(std::fs::read_dir(&alice.state_dir)?.count(), before);
    Ok(())
}

/// The daemon itself tells of its memory what the doctor finds.
#[tokio::test(flavor = "multi_thread")]
async fn health_tells_what_is_in_force() -> Result<()> {
    let world = World::new().await?;
    let alice = Apart::new(&world, "alice", Vec::new()).await?;
    let health = serde_json::to_value(alice.client.health().await?)?;
    let host = &health["host"];
    assert_eq!(
        (&host["core_dumps"], &host["traceable"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(host["memory"]["wiped"], true);
    let (report, _) = examined(&places(&alice.state_dir, alice.socket())?)?;
    let found = check(&report, "key_memory")?["found"].as_str();
    let kept = host["memory"]["keys"].as_str().context("a word")?;
    assert!(found.context("a text")?.contains(kept), "{kept} {report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_what_to_do() -> Result<()> {
    let world = World::new().await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    alice.stop()?;
    let places = [alice.state_dir.clone(), alice.socket().to_owned()];
    let places = self::places(&places[0], &places[1])?;
    let keys = alice.state_dir.join("account/keys.sealed");
    let secret = std::fs::read_dir(alice.state_dir.join("keystore"))?;
    let secret = secret.last().context("a secret")??.path();
    let wrong = |name: &str, advice: &str| -> Result<()> {
        let (report, healthy) = examined(&places)?;
        assert!(!healthy && report["healthy"] == false, "{name} {report:#}");
        let check = check(&report, name)?;
        let told = check["advice"].as_str().context("advice")?;
        assert_eq!(check["level"], "fail");
        assert!(told.contains(advice), "{told}");
        Ok(())
    };
    set_mode(&keys, 0o644)?;
    wrong("file_permissions", "chmod")?;
    set_mode(&keys, 0o600)?;
    set_mode(&alice.state_dir, 0o755)?;
    wrong("state_directory", "chmod 700")?;
    set_mode(&alice.state_dir, 0o700)?;
    std::fs::rename(&secret, world.path().join("elsewhere"))?;
    wrong("keystore", "bring it back")?;
    std::fs::rename(world.path().join("elsewhere"), &secret)?;
    std::fs::write(places[3], "no socket")?;
    wrong("socket", "remove it")?;
    std::fs::remove_file(places[3])?;
    assert!(examined(&places)?.1);
    Ok(())
}

#[test]
fn people_read_a_line_each() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (state, socket) = (dir.path().join("state"), dir.path().join("socket"));
    let output = run(
        "connectd",
        &[&["doctor"], places(&state, &socket)?.as_slice()].concat(),
    )?;
    let text = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{text}");
    assert!(
        text.lines()
            .any(|line| line.starts_with("warn  state_directory")),
        "{text}"
    );
    assert!(!state.exists(), "looking makes nothing");
    Ok(())
}
