//! A daemon over a real keyring and over a systemd credential: what it answers when they cannot serve, and what it prints.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use connect_tests::apart::Apart;
use connect_tests::binaries;
use connect_tests::keyring::Desktop;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, World};
use serde_json::json;

/// `ok`, or the code with its reason.
async fn unlocking(apart: &Apart) -> Result<String> {
    let mut raw = Raw::connect(apart.socket()).await?;
    let answer = raw.call("session.unlock", json!({"pin": PIN})).await?;
    let reason = answer["error"]["data"]["reason"].as_str();
    let code = outcome(&answer);
    Ok(reason.map_or(code.clone(), |reason| format!("{code}: {reason}")))
}

/// What a person is told.
fn connectctl(apart: &Apart, pin_file: &Path) -> Result<Output> {
    Ok(Command::new(binaries::path("connectctl")?)
        .arg("--socket")
        .arg(apart.socket())
        .args(["unlock", "--pin-file"])
        .arg(pin_file)
        .stdin(Stdio::null())
        .output()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_over_a_keyring_comes_back_and_says_when_it_cannot() -> Result<()> {
    let world = World::new().await?;
    let Some(mut desktop) = Desktop::new()? else {
        return Ok(());
    };
    desktop.log_in()?;
    let environment = vec![
        ("CONNECTD_KEYSTORE", PathBuf::from("secret-service")),
        ("DBUS_SESSION_BUS_ADDRESS", PathBuf::from(desktop.bus())),
    ];
    let mut alice = Apart::new(&world, "alice", environment).await?;
    alice.stop()?;
    desktop.log_in()?;
    alice.restart_unlocked().await?;

    alice.stop()?;
    desktop.start_locked()?;
    // It starts all the same: whoever logs in later unlocks the keyring then.
    alice.start()?;
    let locked = unlocking(&alice).await?;
    assert_eq!(locked, "keystore_unavailable: keyring_locked");
    let pin_file = world.path().join("pin");
    fs::write(&pin_file, PIN)?;
    let told = connectctl(&alice, &pin_file)?;
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(told.status.code(), Some(69), "{text}");
    ensure!(text.contains("the keyring is locked"), "{text}");

    desktop.kill_keyring();
    let away = unlocking(&alice).await?;
    assert_eq!(away, "keystore_unavailable: no_keyring_service");
    desktop.log_in()?;
    assert_eq!(unlocking(&alice).await?, "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keyring_nobody_enrolls_and_no_secret_lies_elsewhere() -> Result<()> {
    let world = World::new().await?;
    let bus = format!("unix:path={}", world.path().join("nowhere").display());
    let environment = vec![
        ("CONNECTD_KEYSTORE", PathBuf::from("secret-service")),
        ("DBUS_SESSION_BUS_ADDRESS", PathBuf::from(bus)),
    ];
    let refused = Apart::new(&world, "alice", environment).await;
    ensure!(refused.is_err(), "enrolled without a keystore");
    let state = world.path().join("alice");
    ensure!(!state.join("account").exists());
    ensure!(!state.join("keystore").exists(), "a file stood in");
    Ok(())
}

fn run_with(credentials: &Path, state: &Path) -> Result<Output> {
    Ok(Command::new(binaries::path("connectd")?)
        .arg("run")
        .arg("--state-dir")
        .arg(state)
        .arg("--socket")
        .arg(state.with_extension("sock"))
        .env("CREDENTIALS_DIRECTORY", credentials)
        .stdin(Stdio::null())
        .output()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_credentials_takes_its_secret_from_them_and_from_nowhere_else() -> Result<()>
{
    let world = World::new().await?;
    let credentials = world.path().join("credentials");
    fs::create_dir(&credentials)?;
    let told = run_with(&credentials, &world.path().join("alice"))?;
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(told.status.code(), Some(78), "{text}");
    ensure!(
        text.contains("systemd-creds encrypt --name=connectd.keystore"),
        "{text}"
    );

    let secret = credentials.join("connectd.keystore");
    fs::write(&secret, [7; 32])?;
    let environment = vec![("CREDENTIALS_DIRECTORY", credentials.clone())];
    let mut alice = Apart::new(&world, "alice", environment).await?;
    alice.stop()?;
    alice.restart_unlocked().await?;
    ensure!(
        !alice.state_dir.join("keystore").exists(),
        "a file stood in"
    );

    alice.stop()?;
    fs::write(&secret, [8; 32])?;
    alice.start()?;
    let other = unlocking(&alice).await?;
    assert_eq!(other, "keystore_unavailable: secret_missing");
    let sealed = fs::read_to_string(alice.state_dir.join("account").join("keys.sealed"))?;
    let sealed: serde_json::Value = serde_json::from_str(&sealed)?;
    let kind = sealed["keystore"].as_str().context("a kind")?;
    assert_eq!(kind, "systemd-credential");
    Ok(())
}
