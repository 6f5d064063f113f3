//! Store and forward: what is accepted arrives once, in order, and stays until it is acknowledged.

use crate::support::{World, entries};
use connect_proto::{routes, wire};
use connect_relay::limits::Limits;

fn ids(envelopes: &[wire::Envelope]) -> Vec<u8> {
    envelopes
        .iter()
        .map(|envelope| envelope.message_id[0])
        .collect()
}

fn seqs(envelopes: &[wire::Envelope]) -> Vec<u64> {
    envelopes
        .iter()
        .map(|envelope| envelope.queue_seq)
        .collect()
}

#[tokio::test]
async fn messages_arrive_in_order_and_stay_until_acknowledged() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for message in 1..=3 {
        assert!(
            alice
                .send(&world, &alice.envelope(message, &["bob"]))
                .await
                .is(204, "")
        );
    }
    let waiting = bob.waiting(&world).await;
    assert_eq!(
        (ids(&waiting), seqs(&waiting)),
        (vec![1, 2, 3], vec![1, 2, 3])
    );
    let expected = wire::Envelope {
        queue_seq: 1,
        ..alice.envelope(1, &["bob"])
    };
    assert_eq!(waiting[0], expected);
    assert_eq!(
        bob.waiting(&world).await,
        waiting,
        "receiving deletes nothing"
    );

    let left = bob.acknowledge(&world, &waiting[1..2]).await;
    assert_eq!(ids(&left), [1, 3]);
    assert!(bob.acknowledge(&world, &left).await.is_empty());
    assert!(alice.waiting(&world).await.is_empty());
}

#[tokio::test]
async fn an_acknowledgement_that_fits_nothing_deletes_nothing() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    alice
        .send(&world, &alice.envelope(1, &["bob", "alice"]))
        .await;
    let waiting = bob.waiting(&world).await;
    let good = entries(&waiting)[0].clone();
    let wrong = [
        wire::AckEntry {
            queue_seq: 2,
            ..good.clone()
        },
        wire::AckEntry {
            queue_seq: u64::MAX,
            ..good.clone()
        },
        wire::AckEntry {
            queue_seq: (1 << 40) | 1,
            ..good.clone()
        },
        wire::AckEntry {
            message_id: vec![9; 16],
            ..good.clone()
        },
        wire::AckEntry {
            message_id: vec![1; 15],
            ..good.clone()
        },
    ];
    for entry in wrong {
        let ack = wire::Ack {
            entries: vec![entry],
            ..Default::default()
        };
        assert_eq!(
            bob.receive(&world, &ack).await.envelopes().envelopes,
            waiting
        );
    }
    let twice = wire::Ack {
        entries: vec![good.clone(), good],
        ..Default::default()
    };
    assert!(
        bob.receive(&world, &twice)
            .await
            .envelopes()
            .envelopes
            .is_empty()
    );
    assert_eq!(
        alice.waiting(&world).await.len(),
        1,
        "another's mailbox is untouched"
    );
    let many = wire::Ack {
        entries: vec![wire::AckEntry::default(); 501],
        ..Default::default()
    };
    assert!(bob.receive(&world, &many).await.is(400, "too_many_entries"));
}

#[tokio::test]
async fn each_reader_of_a_group_message_gets_its_own_box_alone() {
    let mut world = World::new().await;
    let (alice, bob, carol) = (
        world.user("alice").await,
        world.user("bob").await,
        world.user("carol").await,
    );
    let mut envelope = alice.envelope(1, &["bob", "carol"]);
    envelope.group_id = vec![4; 16];
    assert_eq!(alice.send(&world, &envelope).await.status, 204);
    for reader in [&bob, &carol] {
        let waiting = reader.waiting(&world).await;
        assert_eq!(waiting.len(), 1);
        let own: Vec<_> = envelope
            .sealed
            .iter()
            .filter(|sealed| sealed.recipient_id == reader.id.as_str())
            .cloned()
            .collect();
        assert_eq!(waiting[0].sealed, own);
        assert_eq!(waiting[0].group_id, envelope.group_id);
    }
}

#[tokio::test]
async fn a_group_message_is_stored_for_all_or_for_none() {
    let limits = Limits {
        mailbox_messages: 1,
        ..Limits::default()
    };
    let mut world = World::with(limits).await;
    let (alice, bob, carol) = (
        world.user("alice").await,
        world.user("bob").await,
        world.user("carol").await,
    );
    let unknown = alice
        .send(&world, &alice.envelope(1, &["bob", "nobody"]))
        .await;
    assert!(unknown.is(404, "unknown_recipient"));
    assert!(bob.waiting(&world).await.is_empty());
    assert_eq!(
        alice
            .send(&world, &alice.envelope(2, &["carol"]))
            .await
            .status,
        204
    );
    let full = alice
        .send(&world, &alice.envelope(3, &["bob", "carol"]))
        .await;
    assert!(full.is(507, "mailbox_full"));
    assert!(bob.waiting(&world).await.is_empty());
    let carols = carol.waiting(&world).await;
    carol.acknowledge(&world, &carols).await;
    assert_eq!(
        alice
            .send(&world, &alice.envelope(3, &["bob", "carol"]))
            .await
            .status,
        204,
        "room again"
    );
    assert_eq!(ids(&bob.waiting(&world).await), [3]);
}

#[tokio::test]
async fn a_mailbox_is_full_by_bytes_too() {
    let mut world = World::with(Limits {
        mailbox_bytes: 1_500,
        ..Limits::default()
    })
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for message in 1..=2 {
        assert_eq!(
            alice
                .send(&world, &alice.envelope(message, &["bob"]))
                .await
                .status,
            204
        );
    }
    assert!(
        alice
            .send(&world, &alice.envelope(3, &["bob"]))
            .await
            .is(507, "mailbox_full")
    );
    let waiting = bob.waiting(&world).await;
    bob.acknowledge(&world, &waiting).await;
    assert_eq!(
        alice
            .send(&world, &alice.envelope(3, &["bob"]))
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn the_same_bytes_again_are_stored_once_and_other_bytes_are_a_conflict() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let envelope = alice.envelope(1, &["bob"]);
    let redated = wire::Envelope {
        timestamp_ms: 2,
        ..envelope.clone()
    };
    for _ in 0..2 {
        assert_eq!(alice.send(&world, &envelope).await.status, 204);
        assert!(
            alice
                .send(&world, &redated)
                .await
                .is(409, "message_conflict")
        );
    }
    assert_eq!(
        bob.send(&world, &bob.envelope(1, &["bob"])).await.status,
        204,
        "another sender's id is another message"
    );
    let waiting = bob.waiting(&world).await;
    assert_eq!(waiting.len(), 2);
    bob.acknowledge(&world, &waiting).await;
    assert_eq!(alice.send(&world, &envelope).await.status, 204);
    assert!(
        bob.waiting(&world).await.is_empty(),
        "delivered once is delivered"
    );
    // Sealed anew because its recipient asked for it: it was delivered, and is waited for again.
    assert_eq!(alice.send(&world, &redated).await.status, 204);
    assert!(
        alice
            .send(&world, &envelope)
            .await
            .is(409, "message_conflict")
    );
    let waiting = bob.waiting(&world).await;
    assert_eq!(waiting.len(), 1);
    bob.acknowledge(&world, &waiting).await;

    world.live(30).await;
    assert_eq!(
        alice.send(&world, &redated).await.status,
        204,
        "forgotten after 30 days"
    );
}

#[tokio::test]
async fn a_repeat_to_more_recipients_reaches_those_who_lack_it() {
    let mut world = World::new().await;
    let (alice, bob, carol) = (
        world.user("alice").await,
        world.user("bob").await,
        world.user("carol").await,
    );
    assert_eq!(
        alice
            .send(&world, &alice.envelope(1, &["bob"]))
            .await
            .status,
        204
    );
    assert_eq!(
        alice
            .send(&world, &alice.envelope(1, &["bob", "carol"]))
            .await
            .status,
        204
    );
    assert_eq!(
        (
            bob.waiting(&world).await.len(),
            carol.waiting(&world).await.len()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_case_envelope_is_kept_once_and_names_its_reader_alone() {
    let mut world = World::new().await;
    let (alice, bob, carol) = (
        world.user("alice").await,
        world.user("bob").await,
        world.user("carol").await,
    );
    let case = wire::CaseSealed {
        case_id: vec![5; 16],
        epoch: 1,
        nonce: vec![6; 24],
        r#box: vec![7; 600],
        recipient_ids: vec!["bob".to_owned(), "carol".to_owned()],
    };
    let envelope = wire::Envelope {
        case_sealed: Some(case.clone()),
        ..alice.envelope(1, &[])
    };
    assert_eq!(alice.send(&world, &envelope).await.status, 204);
    assert_eq!(alice.send(&world, &envelope).await.status, 204);
    for reader in [&bob, &carol] {
        let waiting = reader.waiting(&world).await;
        let own = wire::CaseSealed {
            recipient_ids: vec![reader.id.to_string()],
            ..case.clone()
        };
        let expected = wire::Envelope {
            case_sealed: Some(own),
            queue_seq: 1,
            ..envelope.clone()
        };
        assert_eq!(waiting, [expected]);
        assert!(reader.acknowledge(&world, &waiting).await.is_empty());
    }
}

#[tokio::test]
async fn a_restart_keeps_the_mailbox_and_the_sequence() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for message in 1..=2 {
        alice.send(&world, &alice.envelope(message, &["bob"])).await;
    }
    let before = bob.waiting(&world).await;
    let world = world.restarted().await;
    assert_eq!(bob.waiting(&world).await, before);
    assert!(bob.acknowledge(&world, &before).await.is_empty());
    let world = world.restarted().await;
    alice.send(&world, &alice.envelope(3, &["bob"])).await;
    assert_eq!(
        seqs(&bob.waiting(&world).await),
        [3],
        "no number is given twice"
    );
}

#[tokio::test]
async fn a_page_is_bounded_by_count_and_by_bytes() {
    let mut world = World::new().await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    for message in 1..=103 {
        let mut envelope = alice.envelope(message, &["bob"]);
        envelope.sealed[0].r#box = vec![message; 64 << 10];
        assert_eq!(alice.send(&world, &envelope).await.status, 204);
    }
    let answer = bob
        .receive(
            &world,
            &wire::Ack {
                limit: 5,
                ..Default::default()
            },
        )
        .await
        .envelopes();
    assert!(answer.envelopes.len() == 5 && answer.more);
    let answer = bob
        .receive(
            &world,
            &wire::Ack {
                limit: 1_000,
                ..Default::default()
            },
        )
        .await;
    assert!(
        answer.body.len() <= routes::MAX_RECEIVE_BYTES
            && answer.body.len() > (routes::MAX_RECEIVE_BYTES - (66 << 10))
    );
    assert!(answer.envelopes().more);

    let mut received = Vec::new();
    let mut ack = wire::Ack::default();
    loop {
        let list = bob.receive(&world, &ack).await.envelopes();
        received.extend(ids(&list.envelopes));
        ack.entries = entries(&list.envelopes);
        if !list.more {
            break;
        }
    }
    assert_eq!(received, (1..=103).collect::<Vec<u8>>());
}

#[tokio::test]
async fn many_senders_at_once_lose_and_double_nothing() {
    let mut world = World::new().await;
    let bob = world.user("bob").await;
    let mut senders = Vec::new();
    for n in 0..8 {
        senders.push(world.user(&format!("sender-{n}")).await);
    }
    let sends = senders
        .iter()
        .flat_map(|sender| (0..12).map(move |message| (sender, message)));
    let world = &world;
    let answers = futures_util::future::join_all(sends.map(|(sender, message)| async move {
        sender
            .send(world, &sender.envelope(message, &["bob"]))
            .await
            .status
    }))
    .await;
    assert!(answers.iter().all(|status| *status == 204));
    let waiting = bob
        .receive(world, &wire::Ack::default())
        .await
        .envelopes()
        .envelopes;
    assert_eq!(seqs(&waiting), (1..=96).collect::<Vec<u64>>());
}
