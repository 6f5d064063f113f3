//! Unlocking without anyone: off unless configured, shown in health, and never tried twice.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use connect_tests::apart::Apart;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, World};
use serde_json::{Value, json};

/// A daemon whose configuration names a credential, once that is there.
async fn unattended(world: &World, name: &str, pin: &str) -> Result<Apart> {
    let mut alice = Apart::new(world, name, Vec::new()).await?;
    alice.stop()?;
    let credentials = world.path().join("credentials");
    std::fs::create_dir_all(&credentials)?;
    std::fs::write(credentials.join("connectd.pin"), format!("{pin}\n"))?;
    alice.has_in_environment("CREDENTIALS_DIRECTORY", credentials);
    alice.has_in_environment("CONNECTD_KEYSTORE", "file");
    alice.is_configured("[session]\nunattended_pin = \"connectd.pin\"\n")?;
    alice.start()?;
    Ok(alice)
}

async fn health(alice: &Apart) -> Result<Value> {
    let mut raw = Raw::connect(alice.socket()).await?;
    let health = raw.call("system.health", json!({})).await?;
    Ok(health["result"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_comes_back_by_itself_and_says_so() -> Result<()> {
    let world = World::new().await?;
    let alice = unattended(&world, "alice", PIN).await?;
    let open = alice
        .is(|health| health.session.keys_in_memory)
        .await
        .context("it unlocks")?;
    assert!(open.session.unattended);
    // Nobody would unlock it again.
    assert_eq!(open.session.idle_lock_s, None);
    let mut raw = Raw::connect(alice.socket()).await?;
    assert_eq!(raw.outcome("account.get", json!({})).await?, "ok");
    // Whoever locks it means it.
    assert_eq!(raw.outcome("session.lock", json!({})).await?, "ok");
    assert_eq!(raw.outcome("account.get", json!({})).await?, "locked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_open_is_one_attempt_and_leaves_it_locked() -> Result<()> {
    let world = World::new().await?;
    let alice = unattended(&world, "alice", "29572").await?;
    let mut raw = Raw::connect(alice.socket()).await?;
    let mut log = String::new();
    while !log.contains("session.unattended_pin") {
        assert_eq!(raw.outcome("system.health", json!({})).await?, "ok");
        log = std::fs::read_to_string(alice.log())?;
    }
    let unlocked = raw.call("session.unlock", json!({"pin": "29573"})).await?;
    assert_eq!(unlocked["error"]["data"]["attempts_left"], 7, "{unlocked}");
    assert!(!log.contains("29572"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unless_configured_nobody_unlocks() -> Result<()> {
    let world = World::new().await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    alice.stop()?;
    alice.start()?;
    let health = health(&alice).await?;
    assert_eq!(health["session"]["unattended"], false);
    assert_eq!(health["session"]["idle_lock_s"], 600);
    let mut raw = Raw::connect(alice.socket()).await?;
    let account = raw.call("account.get", json!({})).await?;
    assert_eq!(outcome(&account), "locked");
    Ok(())
}

/// A credential without a service manager is a mistake that is told at once.
#[test]
fn a_credential_that_no_unit_gives_is_an_error_of_the_configuration() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let config: PathBuf = dir.path().join("connectd.toml");
    std::fs::write(&config, "[session]\nunattended_pin = \"connectd.pin\"\n")?;
    let ended = std::process::Command::new(connect_tests::binaries::path("connectd")?)
        .arg("run")
        .arg("--state-dir")
        .arg(dir.path().join("state"))
        .arg("--socket")
        .arg(dir.path().join("s"))
        .arg("--config")
        .arg(&config)
        .env_remove("CREDENTIALS_DIRECTORY")
        .output()?;
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(78), "{text}");
    assert!(text.contains("LoadCredentialEncrypted="), "{text}");
    Ok(())
}

/// An administrator has no credentials at hand.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_while_it_is_stopped_needs_no_credential() -> Result<()> {
    let world = World::new().await?;
    let mut alice = unattended(&world, "alice", PIN).await?;
    alice.stop()?;
    let reset = std::process::Command::new(connect_tests::binaries::path("connectd")?)
        .arg("reset-attempts")
        .arg("--state-dir")
        .arg(&alice.state_dir)
        .arg("--config")
        .arg(alice.config())
        .env("CONNECTD_KEYSTORE", "file")
        .env_remove("CREDENTIALS_DIRECTORY")
        .output()?;
    let text = String::from_utf8_lossy(&reset.stderr).into_owned();
    assert!(reset.status.success(), "{text}");
    Ok(())
}
