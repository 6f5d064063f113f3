//! What time ends: typing after a minute, and unread messages after 30 days.

use crate::support::{DAY_MS, World};
use connect_proto::wire;
use connect_relay::limits::{EPHEMERALS_WAITING, Limits};

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
    world.live(29).await;
    world.time.advance(DAY_MS - 1);
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

fn typing(envelope: wire::Envelope) -> wire::Envelope {
    wire::Envelope {
        ephemeral: true,
        ..envelope
    }
}

#[tokio::test]
async fn typing_takes_no_room_from_messages_and_has_a_bound_of_its_own() {
    let mut world = World::with(Limits {
        mailbox_messages: 2,
        ..Limits::default()
    })
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let envelope = |number: u64, ephemeral| wire::Envelope {
        message_id: u128::from(number).to_be_bytes().to_vec(),
        ephemeral,
        ..alice.envelope(1, &["bob"])
    };
    for number in 0..EPHEMERALS_WAITING {
        assert_eq!(
            alice.send(&world, &envelope(number, true)).await.status,
            204
        );
    }
    let one_more = alice.send(&world, &envelope(900, true)).await;
    assert!(one_more.is(507, "mailbox_full"));
    for (number, status) in [(901, 204), (902, 204), (903, 507)] {
        let answer = alice.send(&world, &envelope(number, false)).await;
        assert_eq!(answer.status, status);
    }
    world.time.advance(60_000);
    world.relay.sweep().await.unwrap();
    assert_eq!(bob.waiting(&world).await.len(), 2);
    assert_eq!(alice.send(&world, &envelope(904, true)).await.status, 204);
    let waiting = bob.waiting(&world).await;
    assert_eq!(waiting.len(), 3, "a full mailbox has room for typing");
    bob.acknowledge(&world, &waiting).await;
    assert_eq!(alice.send(&world, &envelope(905, false)).await.status, 204);
}

#[tokio::test]
async fn typing_is_never_bounced_however_late_it_is_swept() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    world.relay.sweep().await.unwrap();
    // More than one step of a sweep removes, in many mailboxes.
    let mut readers = Vec::new();
    for n in 0..4 {
        readers.push(world.user(&format!("reader-{n}")).await);
    }
    for message in 0..=200 {
        let recipients = ["bob", "reader-0", "reader-1", "reader-2", "reader-3"];
        let typing = typing(alice.envelope(message, &recipients));
        assert_eq!(alice.send(&world, &typing).await.status, 204);
    }
    for _ in 0..30 {
        world.time.advance(DAY_MS);
    }
    world.relay.sweep().await.unwrap();
    world.live(2).await;
    assert!(alice.waiting(&world).await.is_empty());
    assert!(bob.waiting(&world).await.is_empty());
}

#[tokio::test]
async fn a_bounce_stays_until_it_is_acknowledged() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let envelope = alice.envelope(1, &["bob"]);
    alice.send(&world, &envelope).await;
    world.live(30).await;
    let told = alice.waiting(&world).await;
    assert_eq!(told.len(), 1);
    let world = world.restarted().await;
    world.live(40).await;
    assert_eq!(alice.waiting(&world).await, told);
    assert_eq!(
        alice.send(&world, &envelope).await.status,
        204,
        "what was given up may be sent again"
    );
    assert_eq!(ids(&bob.waiting(&world).await), [1]);
    assert!(alice.acknowledge(&world, &told).await.is_empty());
}

#[tokio::test]
async fn bounces_that_nobody_fetches_hold_up_no_other_expiry() {
    let mut world = World::new().await;
    let bob = world.user("bob").await;
    let mut away = Vec::new();
    for n in 0..12 {
        let sender = world.user(&format!("sender-{n}")).await;
        sender.send(&world, &sender.envelope(n, &["bob"])).await;
        away.push(sender);
    }
    world.live(30).await;
    world.live(30).await;
    // Each of them has an old bounce in front, and then a message.
    for (n, sender) in (20..).zip(&away) {
        bob.send(&world, &bob.envelope(n, &[sender.id.as_str()]))
            .await;
    }
    world.live(30).await;
    for sender in &away {
        let waiting = sender.waiting(&world).await;
        assert!(waiting.len() == 1 && waiting[0].bounce.is_some());
    }
    assert_eq!(bob.waiting(&world).await.len(), 12);
}
