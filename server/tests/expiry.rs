//! What time ends: typing after a minute, and unread messages after 30 days.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use connect_proto::wire;
use support::World;

const DAY_MS: u64 = 86_400_000;

fn ids(envelopes: &[wire::Envelope]) -> Vec<u8> {
    envelopes
        .iter()
        .map(|envelope| envelope.message_id[0])
        .collect()
}

#[tokio::test]
async fn typing_is_gone_after_a_minute() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for message in 1..=2 {
        let typing = wire::Envelope {
            ephemeral: message == 1,
            ..alice.envelope(message, &["bob"])
        };
        assert_eq!(alice.send(&world, &typing).await.status, 204);
    }
    world.time.advance(59_999);
    assert_eq!(ids(&bob.waiting(&world).await), [1, 2]);
    world.time.advance(1);
    assert_eq!(ids(&bob.waiting(&world).await), [2]);
    world.relay.sweep().await.unwrap();
    assert_eq!(ids(&bob.waiting(&world).await), [2]);
    assert!(alice.waiting(&world).await.is_empty(), "nobody is told");
}

#[tokio::test]
async fn the_sender_is_told_of_what_was_never_read() {
    let mut world = World::new().await;
    let (alice, bob, carol) = (
        world.user("alice").await,
        world.user("bob").await,
        world.user("carol").await,
    );
    for message in 1..=60 {
        alice.send(&world, &alice.envelope(message, &["bob"])).await;
    }
    world.time.advance(30 * DAY_MS - 1);
    alice
        .send(&world, &alice.envelope(61, &["bob", "carol"]))
        .await;
    world.relay.sweep().await.unwrap();
    assert_eq!(bob.waiting(&world).await.len(), 61);
    world.time.advance(1);
    world.relay.sweep().await.unwrap();
    assert_eq!(ids(&bob.waiting(&world).await), [61]);
    assert_eq!(carol.waiting(&world).await.len(), 1);

    let told = alice.waiting(&world).await;
    let bounced: Vec<u8> = told
        .iter()
        .map(|told| told.bounce.as_ref().unwrap().message_id[0])
        .collect();
    assert_eq!(bounced, (1..=60).collect::<Vec<u8>>());
    let bounce = told[0].bounce.as_ref().unwrap();
    assert_eq!(bounce.recipient_id, "bob");
    assert!(bounce.reason() == wire::bounce::Reason::Expired);
    assert!(
        told[0].sender_id.is_empty() && told[0].sealed.is_empty() && told[0].message_id.len() == 16
    );
    assert!(alice.acknowledge(&world, &told).await.is_empty());
}
