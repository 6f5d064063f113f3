//! What a 204 promises: all recipients or none, once each, whoever goes away meanwhile.

use crate::support::{User, World};
use connect_proto::{codec, routes, wire};
use connect_relay::limits::Limits;
use futures_util::future::join_all;
use sqlx::Connection as _;

fn case(sender: &User, message: u8, recipients: &[&str]) -> wire::Envelope {
    wire::Envelope {
        case_sealed: Some(wire::CaseSealed {
            case_id: vec![5; 16],
            epoch: 1,
            nonce: vec![6; 24],
            r#box: vec![message; 600],
            recipient_ids: recipients.iter().map(|&id| id.to_owned()).collect(),
        }),
        ..sender.envelope(message, &[])
    }
}

type Make = fn(&User, u8, &[&str]) -> wire::Envelope;
/// One box for each, and one for all.
const KINDS: [Make; 2] = [|sender, message, to| sender.envelope(message, to), case];

#[tokio::test]
async fn a_repeat_gives_nobody_twice_what_some_have_acknowledged() {
    for kind in KINDS {
        let mut world = World::new().await;
        let alice = world.user("alice").await;
        let (bob, carol) = (world.user("bob").await, world.user("carol").await);
        let dave = world.user("dave").await;
        let envelope = kind(&alice, 1, &["bob", "carol"]);
        assert_eq!(alice.send(&world, &envelope).await.status, 204);
        let bobs = bob.waiting(&world).await;
        assert!(bob.acknowledge(&world, &bobs).await.is_empty());
        let world = world.restarted().await;

        assert_eq!(alice.send(&world, &envelope).await.status, 204);
        let wider = kind(&alice, 1, &["bob", "carol", "dave"]);
        assert_eq!(alice.send(&world, &wider).await.status, 204);
        assert!(bob.waiting(&world).await.is_empty());
        assert_eq!(carol.waiting(&world).await.len(), 1);
        assert_eq!(dave.waiting(&world).await.len(), 1);
        for reader in [&carol, &dave] {
            let waiting = reader.waiting(&world).await;
            assert!(reader.acknowledge(&world, &waiting).await.is_empty());
        }
    }
}

#[tokio::test]
async fn other_bytes_for_one_recipient_store_nothing_for_the_others() {
    for kind in KINDS {
        let mut world = World::new().await;
        let alice = world.user("alice").await;
        let (bob, carol) = (world.user("bob").await, world.user("carol").await);
        alice.send(&world, &kind(&alice, 1, &["bob"])).await;
        let other = wire::Envelope {
            timestamp_ms: 2,
            ..kind(&alice, 1, &["carol", "bob"])
        };
        let answer = alice.send(&world, &other).await;
        assert!(answer.is(409, "message_conflict"));
        assert_eq!(bob.waiting(&world).await.len(), 1);
        assert!(carol.waiting(&world).await.is_empty());
    }
}

#[tokio::test]
async fn one_full_mailbox_stores_nothing_for_the_others_and_a_repeat_needs_no_room() {
    for kind in KINDS {
        let mut world = World::with(Limits {
            mailbox_messages: 1,
            ..Limits::default()
        })
        .await;
        let alice = world.user("alice").await;
        let (bob, carol) = (world.user("bob").await, world.user("carol").await);
        let held = kind(&alice, 1, &["bob"]);
        assert_eq!(alice.send(&world, &held).await.status, 204);
        for _ in 0..2 {
            let answer = alice
                .send(&world, &kind(&alice, 2, &["carol", "bob"]))
                .await;
            assert!(answer.is(507, "mailbox_full") && answer.retry_after.is_none());
            assert!(carol.waiting(&world).await.is_empty());
        }
        assert_eq!(alice.send(&world, &held).await.status, 204);
        // Bob holds his copy already: only Carol's needs room.
        let wider = kind(&alice, 1, &["bob", "carol"]);
        assert_eq!(alice.send(&world, &wider).await.status, 204);
        assert_eq!(bob.waiting(&world).await.len(), 1);
        assert_eq!(carol.waiting(&world).await.len(), 1);
    }
}

#[tokio::test]
async fn room_for_one_more_is_given_to_one_of_those_who_come_together() {
    let mut world = World::with(Limits {
        mailbox_messages: 3,
        ..Limits::default()
    })
    .await;
    let bob = world.user("bob").await;
    let mut senders = Vec::new();
    for n in 0..12 {
        senders.push(world.user(&format!("sender-{n}")).await);
    }
    let world = &world;
    let answers = join_all((0..).zip(&senders).map(|(message, sender)| async move {
        let envelope = sender.envelope(message, &["bob"]);
        sender.send(world, &envelope).await.status.as_u16()
    }))
    .await;
    let count = |status| answers.iter().filter(|&&answer| answer == status).count();
    assert_eq!((count(204), count(507)), (3, 9));
    let seqs: Vec<_> = bob
        .waiting(world)
        .await
        .iter()
        .map(|e| e.queue_seq)
        .collect();
    assert_eq!(seqs, [1, 2, 3]);
}

#[tokio::test]
async fn the_same_message_twice_at_once_is_stored_once_and_others_conflict() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let envelopes: Vec<_> = (0..16_u8)
        .map(|n| wire::Envelope {
            timestamp_ms: u64::from(n % 2),
            ..alice.envelope(n / 4, &["bob", "alice"])
        })
        .collect();
    let sends = envelopes
        .iter()
        .map(|envelope| alice.send(&world, envelope));
    let answers = join_all(sends).await;
    for pair in answers.chunks(4) {
        let count = |status: u16| {
            pair.iter()
                .filter(|answer| answer.status.as_u16() == status)
                .count()
        };
        assert_eq!((count(204), count(409)), (2, 2));
    }
    assert_eq!(bob.waiting(&world).await.len(), 4);
    assert_eq!(alice.waiting(&world).await.len(), 4);
}

#[tokio::test]
async fn what_was_accepted_while_the_relay_stopped_is_there_after_it() {
    let mut world = World::new().await;
    let bob = world.user("bob").await;
    let mut senders = Vec::new();
    for n in 0..40 {
        senders.push(world.user(&format!("sender-{n}")).await);
    }
    let mut sends = tokio::task::JoinSet::new();
    for (message, sender) in (0..).zip(&senders) {
        let body = codec::encode(&sender.envelope(message, &["bob"]));
        let signed = world.signed(sender, routes::SEND, &body);
        let request = world
            .http
            .post(format!("https://{}{}", world.authority(), signed.path))
            .header(routes::HEADER_USER, signed.user)
            .header(routes::HEADER_SIGNATURE, signed.signature)
            .body(signed.body)
            .send();
        sends.spawn(async move { (message, request.await) });
    }
    let mut accepted = Vec::new();
    let mut note = |(message, answer): (u8, reqwest::Result<reqwest::Response>)| {
        if answer.is_ok_and(|answer| answer.status() == 204) {
            accepted.push(message);
        }
    };
    note(sends.join_next().await.unwrap().unwrap());
    let world = world.restarted().await;
    while let Some(ended) = sends.join_next().await {
        note(ended.unwrap());
    }
    let waiting = bob.waiting(&world).await;
    let stored: Vec<_> = waiting
        .iter()
        .map(|envelope| envelope.message_id[0])
        .collect();
    for message in accepted {
        assert!(stored.contains(&message), "{message} was accepted");
    }
}

#[tokio::test]
async fn who_hangs_up_before_the_answer_can_ask_again() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for message in 0..30 {
        let envelope = alice.envelope(message, &["bob"]);
        let mut send = Box::pin(alice.send(&world, &envelope));
        // Given up at another point of its way each time.
        for _ in 0..message {
            if futures_util::poll!(&mut send).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(send);
    }
    for message in 0..30 {
        let envelope = alice.envelope(message, &["bob"]);
        assert_eq!(alice.send(&world, &envelope).await.status, 204);
    }
    let mut ids: Vec<_> = bob
        .waiting(&world)
        .await
        .iter()
        .map(|e| e.message_id[0])
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..30).collect::<Vec<u8>>());
}

/// Until an account can be deleted over the API.
async fn delete(world: &World, user: &str) {
    let path = format!("sqlite://{}", world.dir.path().join("relay.db").display());
    let mut database = sqlx::SqliteConnection::connect(&path).await.unwrap();
    let deleted = sqlx::query("UPDATE users SET state = 1 WHERE user_id = ?")
        .bind(user)
        .execute(&mut database)
        .await;
    assert_eq!(deleted.unwrap().rows_affected(), 1);
    database.close().await.unwrap();
}

#[tokio::test]
async fn the_sender_learns_of_what_a_deleted_recipient_never_read_and_a_deleted_sender_is_passed_over()
 {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let _carol = world.user("carol").await;
    alice.send(&world, &alice.envelope(1, &["carol"])).await;
    bob.send(&world, &bob.envelope(2, &["carol"])).await;
    delete(&world, "carol").await;
    delete(&world, "bob").await;
    let refused = alice
        .send(&world, &alice.envelope(3, &["alice", "carol"]))
        .await;
    assert!(refused.is(404, "unknown_recipient"));
    world.live(30).await;
    let told = alice.waiting(&world).await;
    assert_eq!(told.len(), 1);
    let bounce = told[0].bounce.as_ref().unwrap();
    assert_eq!(bounce.recipient_id, "carol");
    assert!(bounce.reason() == wire::bounce::Reason::RecipientDeleted);
    world.live(31).await;
    assert_eq!(alice.waiting(&world).await, told);
}
