//! Ends: of a connection, a session and the daemon, while something is still under way.

use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::account::Enroll;
use connect_api::errors::ErrorCode;
use connect_api::session::Pin;
use connect_proto::routes;
use connect_tests::fake_relay::FakeRelay;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{Person, World, refusal, unhurried};
use connectd::limits::Limits;
use serde_json::json;
use tokio::time::timeout;

/// Far less than any call to the relay may take.
const SOON: Duration = Duration::from_secs(10);

/// A daemon whose relay does not answer one kind of call.
async fn left_alone(world: &mut World, path: &'static str) -> Result<(FakeRelay, Person)> {
    let relay = FakeRelay::in_place_of(world).await?;
    relay.keeps_silent_on(path);
    let alice = world.stranger("alice").await?;
    Ok((relay, alice))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_ends_while_an_enrollment_hangs_and_takes_it_up_again_later() -> Result<()> {
    let mut world = World::new().await?;
    let (relay, mut alice) = left_alone(&mut world, routes::ENROLL).await?;
    let enrollment = serde_json::to_value(world.enrollment("alice").await?)?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.ask("account.enroll", enrollment).await?;
    relay.left_somebody_waiting().await;
    timeout(SOON, alice.stop()).await.context("it goes on")?;
    assert_eq!(raw.line().await?, None);

    relay.stop().await;
    world.start_relay().await?;
    alice.start().await?;
    let enrollment = world.enrollment("alice").await?;
    alice.client.call::<Enroll>(enrollment).await?;
    Ok(())
}

/// The relay may know the keys of an enrollment that was cut off: a mistyped PIN must not be their end.
#[tokio::test(flavor = "multi_thread")]
async fn an_enrollment_that_was_cut_off_keeps_its_keys_under_a_wrong_pin() -> Result<()> {
    let mut world = World::new().await?;
    let (relay, mut alice) = left_alone(&mut world, routes::ENROLL).await?;
    let enrollment = serde_json::to_value(world.enrollment("alice").await?)?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.ask("account.enroll", enrollment).await?;
    relay.left_somebody_waiting().await;
    alice.stop().await;
    relay.stop().await;
    world.start_relay().await?;
    alice.start().await?;

    let sealed = |alice: &Person| -> Result<Vec<u8>> {
        Ok(std::fs::read(
            alice.state_dir.join("enrolling/keys.sealed"),
        )?)
    };
    let before = sealed(&alice)?;
    let mut wrong = world.enrollment("alice").await?;
    wrong.pin = Pin::new("13579".to_owned());
    let refused = refusal(alice.client.call::<Enroll>(wrong.clone()).await)?;
    assert_eq!(refused, ErrorCode::WrongPin);
    assert_eq!(sealed(&alice)?, before);

    // Who says that an installation may be replaced gives those keys up.
    wrong.replace_existing_installation = true;
    alice.client.call::<Enroll>(wrong).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_ends_while_calls_hang() -> Result<()> {
    let mut world = World::new().await?;
    let (relay, mut alice) = left_alone(&mut world, routes::LOOKUP).await?;
    let enrollment = world.enrollment("alice").await?;
    alice.client.call::<Enroll>(enrollment).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    for _ in 0..16 {
        raw.ask("contacts.add", json!({"user_id": "bob"})).await?;
    }
    relay.left_somebody_waiting().await;
    timeout(SOON, alice.stop()).await.context("it goes on")?;
    assert_eq!(raw.line().await?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_the_calls_that_hang_and_with_them_their_hold_on_the_keys() -> Result<()> {
    let mut world = World::new().await?;
    let (relay, alice) = left_alone(&mut world, routes::LOOKUP).await?;
    let enrollment = world.enrollment("alice").await?;
    alice.client.call::<Enroll>(enrollment).await?;
    let mut hanging = Raw::connect(alice.endpoint.path()).await?;
    let adding = json!({"user_id": "bob"});
    hanging.ask("contacts.add", adding).await?;
    relay.left_somebody_waiting().await;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    assert_eq!(raw.outcome("session.lock", json!({})).await?, "ok");
    let answer = timeout(SOON, hanging.line())
        .await
        .context("it hangs on")??;
    assert_eq!(outcome(&answer.context("an answer")?), "locked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_leaves_makes_room_for_the_next() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        connections_per_uid: 3,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    let enrollment = world.enrollment("alice").await?;
    alice.client.call::<Enroll>(enrollment).await?;
    for _ in 0..20 {
        // The daemon notices an end in its own time; then there is room again.
        let mut raw = loop {
            let mut raw = Raw::connect(alice.endpoint.path()).await?;
            if raw.call("system.hello", json!({})).await.is_ok() {
                break raw;
            }
        };
        // Every event so far, sixteen times over, and nobody who reads them.
        for _ in 0..16 {
            raw.ask("events.subscribe", json!({"after": 0})).await?;
        }
    }
    Ok(())
}
