//! `connectctl backup`: to a file and back from it, by people and by a timer.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use connect_tests::backups::{recoverable, recovery_key};
use connect_tests::binaries;
use connect_tests::world::{PIN, Person, World};
use serde_json::Value;

const TEXT: &str = "canary-text: potassium 6.1, bed 4";

fn connectctl(person: &Person, args: &[&str]) -> Result<Output> {
    let socket = person.endpoint.path().to_str().context("a path")?;
    Ok(Command::new(binaries::path("connectctl")?)
        .args(["--socket", socket])
        .args(args)
        .output()?)
}

fn done(person: &Person, args: &[&str]) -> Result<Value> {
    let output = tokio::task::block_in_place(|| connectctl(person, args))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{args:?}: {told}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn status(person: &Person, args: &[&str]) -> Result<(Option<i32>, String)> {
    let output = tokio::task::block_in_place(|| connectctl(person, args))?;
    let told = String::from_utf8(output.stderr)?;
    Ok((output.status.code(), told))
}

fn file(world: &World, name: &str, content: &str) -> Result<String> {
    let path = world.path().join(name);
    std::fs::write(&path, content)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(path.to_str().context("a path")?.to_owned())
}

fn names(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        names.push(entry?.path());
    }
    names.sort();
    Ok(names)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_to_a_file_is_verified_and_restored_on_a_new_machine() -> Result<()> {
    let world = World::new().await?;
    let mut alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let sent = alice.writes(&bob, TEXT).await?;
    bob.receives(&sent).await?;
    let dir = world.path().join("backups");
    std::fs::create_dir(&dir)?;
    let path = dir.join("alice.backup");
    let target = path.to_str().context("a path")?;

    let made = done(&alice, &["backup", "create", target, "--json"])?;
    let length = std::fs::metadata(&path)?.len();
    assert_eq!(made["size"], length);
    assert_eq!(
        std::fs::metadata(&path)?.permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(names(&dir)?.len(), 1, "nothing else is left");
    let (code, told) = status(&alice, &["backup", "create", target])?;
    assert_eq!(code, Some(73), "{told}");
    done(&alice, &["backup", "create", target, "--force", "--json"])?;

    let key = file(&world, "key", recovery_key(1).expose().as_str())?;
    let other = file(&world, "other", recovery_key(2).expose().as_str())?;
    let verify = |key| {
        [
            "backup",
            "verify",
            target,
            "--json",
            "--recovery-key-file",
            key,
        ]
    };
    let found = done(&alice, &verify(&key))?;
    assert_eq!(
        (&found["user_id"], &found["messages"]),
        (&"alice".into(), &1.into())
    );
    assert_eq!(found["audit"]["intact"], true);
    let (code, told) = status(&alice, &verify(&other))?;
    assert_eq!(code, Some(65), "{told}");
    let mut damaged = std::fs::read(&path)?;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let bad = dir.join("bad.backup");
    std::fs::write(&bad, damaged)?;
    let args = [
        "backup",
        "verify",
        bad.to_str().context("a path")?,
        "--recovery-key-file",
        &key,
    ];
    let (code, told) = status(&alice, &args)?;
    assert_eq!(code, Some(65), "{told}");
    ensure!(told.contains("damaged"), "{told}");

    alice.stop().await;
    let again = world.stranger("alice-2").await?;
    let code = file(&world, "code", &world.issue_code("alice").await?)?;
    let pin = file(&world, "pin", PIN)?;
    let restored = done(
        &again,
        &[
            "backup",
            "restore",
            target,
            "--json",
            "--code-file",
            &code,
            "--recovery-key-file",
            &key,
            "--pin-file",
            &pin,
        ],
    )?;
    assert_eq!(restored["messages"], 1);
    let texts = again.reads(&bob).await?;
    assert_eq!(texts[0].text, TEXT);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_keeps_the_newest_and_is_told_what_is_wrong() -> Result<()> {
    let world = World::new().await?;
    let alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    let dir = world.path().join("backups");
    std::fs::create_dir(&dir)?;
    std::fs::write(dir.join("notes"), "not ours")?;
    let target = dir.to_str().context("a path")?;
    let args = ["backup", "create", target, "--keep", "2", "--json"];
    for night in 0..4_usize {
        let made = done(&alice, &args)?;
        let removed = made["removed"].as_array().context("a list")?;
        assert_eq!(removed.len(), night.saturating_sub(1).min(1));
        world.advance(24 * 3600 * 1000);
    }
    assert_eq!(names(&dir)?.len(), 3, "two backups, and what is not ours");

    connectctl(&alice, &["lock"])?;
    let (code, told) = status(&alice, &args)?;
    assert_eq!(code, Some(77), "{told}");
    let bob = world.person("bob").await?;
    let (code, told) = status(&bob, &["backup", "create", target, "--keep", "2"])?;
    assert_eq!(code, Some(65), "{told}");
    ensure!(told.contains("connectctl recovery-key"), "{told}");
    assert_eq!(names(&dir)?.len(), 3, "nothing half made is left");
    Ok(())
}
