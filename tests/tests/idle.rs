//! The idle lock (D23): ten minutes without an interactive call, whatever sync, events and clocks do meanwhile.

use anyhow::{Context as _, Result};
use connect_api::account::Enroll;
use connect_api::messages::MessageState;
use connect_service::error::{Error, Reason};
use connect_service::session::Phase;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, Person, World, unhurried};
use connectd::config::WhenIdle;
use connectd::limits::Limits;
use serde_json::json;

const LIMIT_MS: u64 = 600_000;

/// Enrolled, with an idle lock after so many seconds.
async fn person(world: &World, name: &str, idle_lock_s: u64) -> Result<Person> {
    let limits = Limits {
        idle_lock_s,
        ..unhurried()
    };
    let person = world.stranger_with(name, limits).await?;
    let enrollment = world.enrollment(name).await?;
    person.client.call::<Enroll>(enrollment).await?;
    Ok(person)
}

async fn raw(person: &Person) -> Result<Raw> {
    Raw::connect(person.endpoint.path()).await
}

#[test]
fn ten_minutes_unless_configured() {
    assert_eq!(Limits::default().idle_lock_ms(), Some(LIMIT_MS));
    assert_eq!(unhurried().idle_lock_ms(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interactive_call_keeps_it_open_and_events_do_not() -> Result<()> {
    let world = World::new().await?;
    let alice = person(&world, "alice", LIMIT_MS / 1000).await?;
    let mut raw = raw(&alice).await?;
    for _ in 0..3 {
        world.advance(LIMIT_MS - 1);
        let listed = raw.outcome("contacts.list", json!({})).await?;
        assert_eq!(listed, "ok");
    }
    world.advance(LIMIT_MS - 1);
    for quiet in ["events.list", "system.health", "system.hello"] {
        assert_eq!(raw.outcome(quiet, json!({})).await?, "ok");
    }
    world.advance(1);
    let hello = raw.call("system.hello", json!({})).await?;
    assert_eq!(hello["result"]["state"], "locked");
    for closed in ["contacts.list", "events.list", "events.subscribe"] {
        assert_eq!(raw.outcome(closed, json!({})).await?, "locked");
    }
    let unlocked = raw.call("session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(outcome(&unlocked), "ok");
    let listed = raw.outcome("contacts.list", json!({})).await?;
    assert_eq!(listed, "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_does_not_keep_it_open() -> Result<()> {
    let world = World::new().await?;
    let alice = person(&world, "alice", LIMIT_MS / 1000).await?;
    let bob = world.person("bob").await?;
    bob.adds(&alice).await?;
    let mut raw = raw(&alice).await?;
    assert_eq!(raw.outcome("account.get", json!({})).await?, "ok");
    world.advance(LIMIT_MS - 1);
    let mut following = self::raw(&alice).await?;
    following
        .call("events.subscribe", json!({"after": 0}))
        .await?;
    bob.writes(&alice, "anyone there?").await?;
    sees(&mut following, "message_received").await?;
    world.advance(1);
    assert_eq!(raw.outcome("account.get", json!({})).await?, "locked");
    sees(&mut following, "session_locked").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_does_not_add_to_it() -> Result<()> {
    let world = World::new().await?;
    let alice = person(&world, "alice", LIMIT_MS / 1000).await?;
    let mut raw = raw(&alice).await?;
    world.set_back(6 * LIMIT_MS);
    assert_eq!(raw.outcome("system.health", json!({})).await?, "ok");
    world.advance(LIMIT_MS);
    assert_eq!(raw.outcome("contacts.list", json!({})).await?, "locked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_locked_without_anyone_calling() -> Result<()> {
    let world = World::new().await?;
    let alice = person(&world, "alice", 1).await?;
    let mut following = raw(&alice).await?;
    let after = json!({"after": 0});
    following.call("events.subscribe", after).await?;
    world.advance(1000);
    sees(&mut following, "session_locked").await
}

/// The lock is written down on the way of a call that is refused for it.
#[tokio::test(flavor = "multi_thread")]
async fn the_call_that_finds_it_due_is_not_entered_as_done() -> Result<()> {
    let world = World::new().await?;
    let alice = person(&world, "alice", LIMIT_MS / 1000).await?;
    let mut raw = raw(&alice).await?;
    world.advance(LIMIT_MS);
    let params = json!({"user_id": "bob"});
    assert_eq!(raw.outcome("contacts.add", params).await?, "locked");
    raw.call("session.unlock", json!({"pin": PIN})).await?;
    let listed = raw.call("audit.list", json!({})).await?;
    let entries = listed["result"]["items"].as_array().context("items")?;
    let done = |method| {
        let of = entries
            .iter()
            .filter(move |entry| entry["method"] == method);
        of.filter(|entry| entry["outcome"] == "ok").count()
    };
    assert_eq!((done("session.unlock"), done("contacts.add")), (1, 0));
    Ok(())
}

/// Reads notifications until one is of this type.
async fn sees(following: &mut Raw, wanted: &str) -> Result<()> {
    loop {
        let line = following.line().await?.context("the connection stays")?;
        if line["params"]["result"]["type"] == wanted {
            return Ok(());
        }
    }
}

/// Enrolled, and covered instead of wiped after ten minutes.
async fn covered_when_idle(world: &World) -> Result<Person> {
    let mut alice = person(world, "alice", LIMIT_MS / 1000).await?;
    alice.session.when_idle = WhenIdle::Cover;
    alice.restart().await?;
    Ok(alice)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_covered_session_shuts_callers_out_and_goes_on_syncing() -> Result<()> {
    let world = World::new().await?;
    let alice = covered_when_idle(&world).await?;
    let bob = world.person("bob").await?;
    bob.adds(&alice).await?;
    let mut following = raw(&alice).await?;
    following
        .call("events.subscribe", json!({"after": 0}))
        .await?;
    sees(&mut following, "session_unlocked").await?;
    world.advance(LIMIT_MS);
    let mut raw = raw(&alice).await?;
    let health = raw.call("system.health", json!({})).await?;
    assert_eq!(health["result"]["state"], "locked");
    assert_eq!(health["result"]["session"]["keys_in_memory"], true);
    sees(&mut following, "session_locked").await?;

    // It arrives, is acknowledged and told to its sender, and nobody here is shown anything of it.
    let sent = bob.writes(&alice, "anyone there?").await?;
    bob.sees_state(&sent, MessageState::Delivered).await?;
    for closed in [
        "account.get",
        "events.list",
        "messages.search",
        "audit.verify",
    ] {
        let params = match closed {
            "messages.search" => json!({"query": "anyone"}),
            _ => json!({}),
        };
        assert_eq!(raw.outcome(closed, params).await?, "locked", "{closed}");
    }
    let wrong = raw.call("session.unlock", json!({"pin": "29572"})).await?;
    assert_eq!(wrong["error"]["data"]["attempts_left"], 8);
    assert_eq!(raw.outcome("account.get", json!({})).await?, "locked");

    let unlocked = raw.call("session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(unlocked["result"]["state"], "unlocked");
    // In order, and not before.
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "session_unlocked") {
        let line = following.line().await?.context("a line")?;
        let kind = line["params"]["result"]["type"].as_str();
        kinds.push(kind.unwrap_or_default().to_owned());
    }
    assert!(kinds.contains(&"message_received".to_owned()), "{kinds:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_there_lifts_a_cover_for_some_hours_after_the_pin_and_no_longer() -> Result<()> {
    let world = World::new().await?;
    let mut alice = covered_when_idle(&world).await?;
    let hours_ms = 12 * 3_600_000;
    alice.session.presence_ms = Some(hours_ms);
    alice.restart().await?;
    let session = alice.running_session()?;
    for left_ms in (LIMIT_MS..hours_ms).step_by(usize::try_from(hours_ms / 4)?) {
        world.advance(LIMIT_MS);
        session.lock_if_idle().await?;
        assert!(
            matches!(session.phase(), Phase::Covered { .. }),
            "{left_ms}"
        );
        session.uncover().await?;
        assert!(session.unlocked().is_ok());
        world.advance(hours_ms / 4 - LIMIT_MS);
    }
    session.lock_if_idle().await?;
    let expired = Error::invalid("presence", Reason::Expired);
    assert_eq!(session.uncover().await, Err(expired));
    let mut raw = raw(&alice).await?;
    let unlocked = raw.call("session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(unlocked["result"]["state"], "unlocked");
    world.advance(LIMIT_MS);
    session.lock_if_idle().await?;
    session.uncover().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unless_configured_nothing_but_the_pin_lifts_a_cover() -> Result<()> {
    let world = World::new().await?;
    let alice = covered_when_idle(&world).await?;
    world.advance(LIMIT_MS);
    let mut raw = raw(&alice).await?;
    assert_eq!(raw.outcome("account.get", json!({})).await?, "locked");
    let refused = raw.call("session.uncover", json!({})).await?;
    let data = &refused["error"]["data"];
    assert_eq!(data["field"], "presence");
    assert_eq!(data["reason"], "not_supported");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explicit_lock_wipes_a_covered_session_too() -> Result<()> {
    let world = World::new().await?;
    let alice = covered_when_idle(&world).await?;
    world.advance(LIMIT_MS);
    let mut raw = raw(&alice).await?;
    assert_eq!(raw.outcome("account.get", json!({})).await?, "locked");
    assert_eq!(raw.outcome("session.lock", json!({})).await?, "ok");
    let health = raw.call("system.health", json!({})).await?;
    assert_eq!(health["result"]["session"]["keys_in_memory"], false);
    let unlocked = raw.call("session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(unlocked["result"]["state"], "unlocked");
    let verdict = raw.call("audit.verify", json!({})).await?;
    assert_eq!(verdict["result"]["intact"], true);
    Ok(())
}
