//! A relay whose clock is wrong for a while gives nothing up for it, and lets nothing in twice.

use crate::support::{DAY_MS, World, nonce};
use connect_proto::{routes, wire};

const HOUR_MS: u64 = 3_600_000;
const MONTH_MS: u64 = 31 * DAY_MS;

#[tokio::test]
async fn a_clock_that_is_a_month_ahead_expires_nothing() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let envelope = alice.envelope(1, &["bob"]);
    assert_eq!(alice.send(&world, &envelope).await.status, 204);
    world.relay.sweep().await.unwrap();

    let right = world.clock.now_ms();
    for ahead in [MONTH_MS, 12 * MONTH_MS] {
        world.time.set(right + ahead);
        for _ in 0..3 {
            world.relay.sweep().await.unwrap();
            world.time.advance(7 * HOUR_MS);
        }
        assert_eq!(
            alice.send(&world, &envelope).await.status,
            204,
            "a repeat is still known"
        );
        assert_eq!(bob.waiting(&world).await.len(), 1);
    }
    world.time.set(right + HOUR_MS);
    world.relay.sweep().await.unwrap();
    assert_eq!(bob.waiting(&world).await.len(), 1);
    assert!(alice.waiting(&world).await.is_empty());

    world.live(30).await;
    assert!(bob.waiting(&world).await.is_empty());
    assert_eq!(alice.waiting(&world).await.len(), 1, "its day does come");
}

#[tokio::test]
async fn a_relay_that_was_off_for_a_month_hands_out_for_a_day_what_waited() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    alice.send(&world, &alice.envelope(1, &["bob"])).await;
    world.relay.sweep().await.unwrap();
    world.time.advance(MONTH_MS);
    let world = world.restarted().await;
    world.relay.sweep().await.unwrap();
    assert_eq!(bob.waiting(&world).await.len(), 1);
    world.time.advance(DAY_MS - 1);
    world.relay.sweep().await.unwrap();
    assert_eq!(bob.waiting(&world).await.len(), 1);
    world.time.advance(1);
    world.relay.sweep().await.unwrap();
    assert!(bob.waiting(&world).await.is_empty());
    assert!(alice.waiting(&world).await[0].bounce.is_some());
}

#[tokio::test]
async fn a_clock_that_was_ahead_and_is_set_back_makes_no_nonce_good_again() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let now = world.clock.now_ms();
    for ahead in [300_000, HOUR_MS, 10 * DAY_MS] {
        let spent = nonce();
        let request = |world: &World| world.signed_as(&alice, routes::RECEIVE, b"", now, spent);
        world.relay.sweep().await.unwrap();
        assert_eq!(world.post(request(&world)).await.status, 200);
        for _ in 0..3 {
            world.time.set(now + ahead);
            world.relay.sweep().await.unwrap();
        }
        world.time.set(now - 60_000);
        world = world.restarted().await;
        world.relay.sweep().await.unwrap();
        assert_eq!(world.post(request(&world)).await.status, 401, "{ahead}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_remembers_its_nonces_and_numbers() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let spent = nonce();
    let now = world.clock.now_ms();
    let signed = |world: &World| world.signed_as(&alice, routes::RECEIVE, b"", now, spent);
    assert_eq!(world.post(signed(&world)).await.status, 200);
    alice.send(&world, &alice.envelope(1, &["bob"])).await;
    world.time.set(now - 200_000);
    let world = world.restarted().await;
    world.relay.sweep().await.unwrap();
    assert_eq!(world.post(signed(&world)).await.status, 401);
    alice.send(&world, &alice.envelope(2, &["bob"])).await;
    let waiting = bob.waiting(&world).await;
    let order: Vec<_> = waiting
        .iter()
        .map(|envelope| (envelope.queue_seq, envelope.message_id[0]))
        .collect();
    assert_eq!(order, [(1, 1), (2, 2)]);
}

#[tokio::test]
async fn typing_does_not_outlive_its_minute_when_the_clock_is_set_back() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let typing = wire::Envelope {
        ephemeral: true,
        ..alice.envelope(1, &["bob"])
    };
    let now = world.clock.now_ms();
    assert_eq!(alice.send(&world, &typing).await.status, 204);
    world.time.set(now - HOUR_MS);
    assert!(bob.waiting(&world).await.is_empty());
    world.relay.sweep().await.unwrap();
    world.time.set(now);
    assert!(bob.waiting(&world).await.is_empty());
}
