//! `session.change_pin` through the socket: who may, what counts, and a kill in the middle of it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use connect_tests::apart::Apart;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, Person, World};
use serde_json::{Value, json};

const OTHER: &str = "80462";
const WRONG: &str = "29572";

async fn call(person: &Person, method: &str, params: Value) -> Result<Value> {
    let mut raw = Raw::connect(person.endpoint.path()).await?;
    raw.call(method, params).await
}

async fn change(person: &Person, pin: &str, new_pin: &str) -> Result<Value> {
    let params = json!({"pin": pin, "new_pin": new_pin});
    call(person, "session.change_pin", params).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_pin_opens_and_the_old_one_does_not() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let changed = change(&alice, PIN, OTHER).await?;
    assert_eq!(changed["result"]["state"], "unlocked", "{changed}");
    // The session went on.
    let account = call(&alice, "account.get", json!({})).await?;
    assert_eq!(account["result"]["user_id"], "alice");
    alice.stop().await;
    alice.start().await?;
    let old = call(&alice, "session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(outcome(&old), "wrong_pin");
    let new = call(&alice, "session.unlock", json!({"pin": OTHER})).await?;
    assert_eq!(new["result"]["state"], "unlocked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_counts_and_a_new_one_that_is_refused_does_not() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let short = change(&alice, WRONG, "1234").await?;
    let data = &short["error"]["data"];
    assert_eq!(outcome(&short), "invalid");
    assert_eq!(
        (&data["field"], &data["reason"]),
        (&json!("new_pin"), &json!("too_short"))
    );
    for left in (5..=8).rev() {
        let wrong = change(&alice, WRONG, OTHER).await?;
        assert_eq!(outcome(&wrong), "wrong_pin");
        assert_eq!(wrong["error"]["data"]["attempts_left"], left);
    }
    // Now even the right one has to wait, and so does unlocking: it is one count.
    let early = change(&alice, PIN, OTHER).await?;
    assert_eq!(outcome(&early), "wrong_pin");
    let waits = early["error"]["data"]["retry_after_ms"].as_u64();
    ensure!(waits.is_some_and(|ms| ms > 0), "{early}");
    call(&alice, "session.lock", json!({})).await?;
    let unlocking = call(&alice, "session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(outcome(&unlocking), "wrong_pin");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_an_open_session() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    assert_eq!(outcome(&change(&alice, PIN, OTHER).await?), "not_enrolled");
    let bob = world.person("bob").await?;
    call(&bob, "session.lock", json!({})).await?;
    assert_eq!(outcome(&change(&bob, PIN, OTHER).await?), "locked");
    let unlocked = call(&bob, "session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(unlocked["result"]["state"], "unlocked", "it was no attempt");
    Ok(())
}

/// When the daemon is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Asked,
    /// The new file is being written, or has been.
    Writing,
    Answered,
}

/// The sealed file, or what will take its place.
fn files(account: &Path) -> Result<(Vec<u8>, bool)> {
    let sealed = fs::read(account.join("keys.sealed"))?;
    let mut is_being_written = false;
    for entry in fs::read_dir(account)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        is_being_written |= name.starts_with(".keys.sealed.");
    }
    Ok((sealed, is_being_written))
}

async fn kill_at(
    moment: Moment,
    apart: &mut Apart,
    raw: &mut Raw,
    (account, before): (&Path, &[u8]),
) -> Result<()> {
    match moment {
        Moment::Asked => {}
        Moment::Writing => loop {
            let (now, is_being_written) = files(account)?;
            if is_being_written || now != before {
                break;
            }
            tokio::task::yield_now().await;
        },
        Moment::Answered => {
            let answer = raw.line().await?.context("an answer")?;
            assert_eq!(outcome(&answer), "ok", "{answer}");
        }
    }
    apart.kill()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_leaves_the_old_pin_or_the_new_one() -> Result<()> {
    let world = World::new().await?;
    let mut apart = Apart::new(&world, "alice", Vec::new()).await?;
    let account = apart.state_dir.join("account");
    let mut pin = PIN.to_owned();
    let moments = [
        Moment::Asked,
        Moment::Writing,
        Moment::Writing,
        Moment::Answered,
    ];
    for (round, moment) in moments.into_iter().cycle().take(8).enumerate() {
        let new_pin = format!("{}", 40_000 + round);
        let mut raw = Raw::connect(apart.socket()).await?;
        let params = json!({"pin": pin, "new_pin": new_pin});
        let (before, _) = files(&account)?;
        raw.ask("session.change_pin", params).await?;
        kill_at(moment, &mut apart, &mut raw, (&account, &before)).await?;
        apart.start()?;
        let mut raw = Raw::connect(apart.socket()).await?;
        let new = raw.call("session.unlock", json!({"pin": new_pin})).await?;
        if outcome(&new) == "ok" {
            pin = new_pin;
            continue;
        }
        assert_eq!(outcome(&new), "wrong_pin", "{moment:?}: {new}");
        ensure!(
            !matches!(moment, Moment::Answered),
            "it was answered, and is lost"
        );
        let old = raw.call("session.unlock", json!({"pin": pin})).await?;
        assert_eq!(outcome(&old), "ok", "{moment:?}: neither opens: {old}");
    }
    Ok(())
}
