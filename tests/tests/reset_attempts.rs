//! `connectd reset-attempts`: an administrator gives the attempts back, and nothing else (D23).

use std::process::{Command, Output, Stdio};

use anyhow::Result;
use connect_tests::apart::Apart;
use connect_tests::binaries;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, World};
use serde_json::{Value, json};

const WRONG: &str = "29572";

async fn unlocking(apart: &Apart, pin: &str) -> Result<Value> {
    let mut raw = Raw::connect(apart.socket()).await?;
    raw.call("session.unlock", json!({"pin": pin})).await
}

fn reset(state_dir: &std::path::Path) -> Result<Output> {
    Ok(Command::new(binaries::path("connectd")?)
        .args(["reset-attempts", "--state-dir"])
        .arg(state_dir)
        .stdin(Stdio::null())
        .output()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pin_may_be_tried_again_and_is_the_same() -> Result<()> {
    let world = World::new().await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    alice.stop()?;
    alice.start()?;
    for _ in 0..4 {
        assert_eq!(outcome(&unlocking(&alice, WRONG).await?), "wrong_pin");
    }
    let early = unlocking(&alice, PIN).await?;
    assert_eq!(outcome(&early), "wrong_pin", "it has to wait");
    let running = reset(&alice.state_dir)?;
    assert_eq!(running.status.code(), Some(69), "beside a running daemon");

    alice.stop()?;
    let stopped = reset(&alice.state_dir)?;
    let text = String::from_utf8_lossy(&stopped.stderr).into_owned();
    assert!(stopped.status.success(), "{text}");
    alice.start()?;
    let wrong = unlocking(&alice, WRONG).await?;
    assert_eq!(wrong["error"]["data"]["attempts_left"], 8);
    assert_eq!(outcome(&unlocking(&alice, PIN).await?), "ok");
    Ok(())
}

#[test]
fn where_nobody_enrolled_there_is_nothing_to_reset() -> Result<()> {
    let dir = tempfile::tempdir()?;
    assert_eq!(reset(dir.path())?.status.code(), Some(78));
    assert_eq!(std::fs::read_dir(dir.path())?.count(), 0);
    Ok(())
}
