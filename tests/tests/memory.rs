//! A daemon that was unlocked, worked and was locked has nothing secret left in its memory, which root reads here.

#[path = "memory/keys.rs"]
mod keys;

use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::account::{Enroll, RotateKeys};
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_api::page::Nothing;
use connect_api::session::Pin;
use connect_api::system::{KeyMemory, State};
use connect_tests::apart::{Apart, POLL, history_of};
use connect_tests::memory::{Found, Needles, search};
use connect_tests::raw::Raw;
use connect_tests::world::{self, Person, World};
use serde_json::{Value, json};
use tokio::time::Instant;

const PIN: &str = "kanarienpin-81403";
const NEW_PIN: &str = "wellensittich-52917";
const WRONG_PIN: &str = "nymphensittich-1";
const OUT: &str = "quorvanthil potassium 6.1, bed 4";
const IN: &str = "zembrakoid: on my way to bed 4";
const WORDS: [&str; 2] = ["quorvanthil", "zembrakoid"];
/// "And 10 s later no message text."
const UNTIL_TEXT_IS_GONE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_daemon_remembers_no_key_no_pin_no_token_and_no_text() -> Result<()> {
    if !can_read_memory() {
        return Ok(());
    }
    let world = World::new().await?;
    let alice = Apart::stranger(&world, "alice", Vec::new())?;
    let mut enrollment = world.enrollment("alice").await?;
    enrollment.pin = Pin::new(PIN.to_owned());
    alice.client.call::<Enroll>(enrollment).await?;
    let bob = world.person("bob").await?;
    let mut needles = Needles::default();
    for pin in [PIN, NEW_PIN, WRONG_PIN] {
        needles.text(&format!("PIN {pin}"), pin);
    }
    let mut texts = Needles::default();
    for word in WORDS {
        texts.text(word, word);
    }

    let mut owner = Raw::connect(alice.socket()).await?;
    let mut app = works(&alice, &bob, &mut owner, &mut needles).await?;
    let keys = keys::open(&alice.state_dir, NEW_PIN)?;
    let other = keys::open(&bob.state_dir, world::PIN)?.box_key.public_key();
    keys::look_for(&mut needles, &keys, *other.as_bytes());
    keys::look_for_the_way_there(&mut needles, &alice.state_dir, NEW_PIN)?;
    let health = alice.client.health().await?;
    while_open(&search(alice.id(), &needles)?, health.host.memory.keys);
    let open = search(alice.id(), &texts)?;
    for word in WORDS {
        assert!(open.has(word), "not even an open daemon has {word}");
    }
    ok(&mut app, "session.lock", json!({})).await?;
    assert_nothing(&search(alice.id(), &needles)?);

    let locked = Instant::now();
    loop {
        let is_late = locked.elapsed() > UNTIL_TEXT_IS_GONE;
        let found = search(alice.id(), &texts)?;
        if found.needles.is_empty() {
            break;
        }
        if is_late {
            assert_nothing(&found);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_daemon_remembers_no_key() -> Result<()> {
    if !can_read_memory() {
        return Ok(());
    }
    let world = World::new().await?;
    let alice = Apart::new(&world, "alice", Vec::new()).await?;
    let bob = world.person("bob").await?;
    let user_id = "alice".to_owned();
    bob.client.call::<Add>(UserParams { user_id }).await?;
    let to = Conversation::User("alice".to_owned());
    bob.client.send_text(to, IN, None).await?;
    history_of(&alice.client, "bob", 1).await?;
    alice.client.call::<RotateKeys>(Nothing {}).await?;
    let keys = keys::open(&alice.state_dir, world::PIN)?;
    let other = keys::open(&bob.state_dir, world::PIN)?.box_key.public_key();
    let mut needles = Needles::default();
    keys::look_for(&mut needles, &keys, *other.as_bytes());
    keys::look_for_the_way_there(&mut needles, &alice.state_dir, world::PIN)?;
    needles.key("retired box key", keys.retired[0].expose());

    let elsewhere = world.stranger("alice-again").await?;
    let mut enrollment = world.enrollment("alice").await?;
    enrollment.replace_existing_installation = true;
    elsewhere.client.call::<Enroll>(enrollment).await?;
    while alice.client.hello().await?.state != State::Revoked {
        tokio::time::sleep(POLL).await;
    }
    // Whoever was told of the state has it before the last holder of the keys has let go.
    let revoked = Instant::now();
    loop {
        let found = search(alice.id(), &needles)?;
        if found.needles.is_empty() {
            return Ok(());
        }
        if revoked.elapsed() > UNTIL_TEXT_IS_GONE {
            assert_nothing(&found);
        }
        tokio::time::sleep(POLL).await;
    }
}

#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests learns what was not tested"
)]
fn can_read_memory() -> bool {
    let can = rustix::process::geteuid().is_root();
    if !can {
        eprintln!("skipped: another process's memory is for root alone");
    }
    can
}

/// What the reader finds shows that it can read; what it does not find lies where not even root can.
fn while_open(found: &Found, kept: KeyMemory) {
    assert!(
        found.has("shared secret"),
        "what is kept in ordinary memory"
    );
    for gone in ["PIN", "token", "unlock key", "master key", "stretched PIN"] {
        assert!(!found.has(gone), "{gone}: {:#?}", found.needles);
    }
    if kept == KeyMemory::Secret {
        assert!(found.secret_mappings > 0);
        // SQLCipher has a copy of the database key, under another one.
        for key in ["box key", "sign key", "local file key", "database key"] {
            assert!(!found.has(key), "{key}: {:#?}", found.needles);
        }
    }
}

/// Pairs an app, locks, errs, unlocks, changes the PIN, writes, reads and searches. Gives the app's connection.
async fn works(alice: &Apart, bob: &Person, owner: &mut Raw, needles: &mut Needles) -> Result<Raw> {
    let scopes = ["messages.read", "messages.send", "session.unlock"];
    let params = json!({"name": "ward EHR", "scopes": scopes});
    let created = ok(owner, "apps.create", params).await?;
    let token = created["token"].as_str().context("a token")?;
    needles.key("token", &hex::decode(token)?);
    alice.adds("bob").await?;
    let mut app = Raw::connect(alice.socket()).await?;
    let credentials = json!({"app_id": created["app_id"], "token": token});
    ok(&mut app, "session.authenticate", credentials).await?;
    ok(&mut app, "session.lock", json!({})).await?;
    let wrong = app
        .call("session.unlock", json!({"pin": WRONG_PIN}))
        .await?;
    assert_eq!(wrong["error"]["data"]["code"], "wrong_pin");
    ok(&mut app, "session.unlock", json!({"pin": PIN})).await?;
    let params = json!({"pin": PIN, "new_pin": NEW_PIN});
    ok(&mut app, "session.change_pin", params).await?;
    let to_bob = json!({"user": "bob"});
    let params = json!({"conversation": to_bob, "text": OUT});
    let sent = ok(&mut app, "messages.send", params).await?;
    bob.receives(sent["message_id"].as_str().context("an id")?)
        .await?;
    let to_alice = Conversation::User("alice".to_owned());
    bob.client.send_text(to_alice, IN, None).await?;
    history_of(&alice.client, "bob", 2).await?;
    for word in WORDS {
        let found = ok(&mut app, "messages.search", json!({"query": word})).await?;
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    }
    ok(&mut app, "messages.list", json!({"conversation": to_bob})).await?;
    Ok(app)
}

async fn ok(raw: &mut Raw, method: &str, params: Value) -> Result<Value> {
    let mut answer = raw.call(method, params).await?;
    assert!(answer["error"].is_null(), "{method} {answer}");
    Ok(answer["result"].take())
}

#[track_caller]
fn assert_nothing(found: &Found) {
    assert!(found.needles.is_empty(), "{:#?}", found.needles);
}
