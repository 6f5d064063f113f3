//! A user's own account: its profile, and its end.

use crate::support::{User, World};
use connect_proto::wire::{KeyState, bounce::Reason};
use connect_proto::{codec, routes, wire};

fn profile(name: &str) -> wire::Profile {
    wire::Profile {
        display_name: name.to_owned(),
        profession: "Cardiologist".to_owned(),
        organisation: "St. Mary".to_owned(),
    }
}

fn bounces(waiting: &[wire::Envelope]) -> Vec<(Vec<u8>, i32)> {
    let bounces = waiting
        .iter()
        .filter_map(|envelope| envelope.bounce.as_ref());
    bounces
        .map(|bounce| (bounce.message_id.clone(), bounce.reason))
        .collect()
}

#[tokio::test]
async fn a_profile_is_changed_by_its_owner() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let answer = alice.set_profile(&world, &profile("Dr. A")).await;
    assert_eq!(answer.status, 200);
    let entry = answer.entry();
    assert_eq!(entry.profile, Some(profile("Dr. A")));
    assert_eq!(
        bob.look_up(&world, &["alice"]).await,
        std::slice::from_ref(&entry)
    );
    assert_eq!(
        alice.set_profile(&world, &profile("Dr. A")).await.entry(),
        entry
    );
    let wrong = alice.set_profile(&world, &profile("a\nb")).await;
    assert!(wrong.is(400, "wrong_profile"));
    let garbage = world.call(&alice, routes::PROFILE, &[0xff]).await;
    assert!(garbage.is(400, "malformed"));
}

#[tokio::test]
async fn a_deleted_account_is_gone_and_the_others_are_told() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let not_empty = world.call(&alice, routes::DELETE_ACCOUNT, b"x").await;
    assert!(not_empty.is(400, "malformed"));
    assert!(alice.delete(&world).await.is(204, ""));
    // What she signed is verified by whoever joins a case later.
    let kept = bob.look_up(&world, &["alice"]).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].profile, Some(wire::Profile::default()));
    let states: Vec<i32> = kept[0].keys.iter().map(|key| key.state).collect();
    assert_eq!(states, [KeyState::KeyRevoked as i32]);
    assert!(bob.search(&world, "alice", 0).await.entries().is_empty());
    let told = bob.waiting(&world).await;
    let statement = world.statement(told[0].contact_update.as_ref().unwrap());
    assert_eq!(statement.state, KeyState::KeyRevoked as i32);
    let sent = bob.send(&world, &bob.envelope(1, &["alice"])).await;
    assert!(sent.is(404, "unknown_recipient"));
    for again in [
        alice.delete(&world).await,
        alice.receive(&world, &wire::Ack::default()).await,
    ] {
        assert_eq!(again.ended(&world).state, KeyState::KeyRevoked as i32);
    }
}

#[tokio::test]
async fn what_waited_for_a_deleted_account_is_bounced_once() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let carol = world.user("carol").await;
    for message in 1..4 {
        let sent = bob
            .send(&world, &bob.envelope(message, &["alice", "carol"]))
            .await;
        assert_eq!(sent.status, 204);
    }
    let mut typing = bob.envelope(9, &["alice"]);
    typing.ephemeral = true;
    assert_eq!(bob.send(&world, &typing).await.status, 204);
    alice.delete(&world).await;
    world.relay.sweep().await.unwrap();
    let told = bounces(&bob.waiting(&world).await);
    let expected: Vec<_> = (1..4)
        .map(|n| (vec![n; 16], Reason::RecipientDeleted as i32))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(carol.waiting(&world).await.len(), 4, "hers, and one update");
}

#[tokio::test]
async fn a_long_mailbox_is_bounced_to_its_end() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    for number in 0..600_u128 {
        let envelope = wire::Envelope {
            message_id: number.to_be_bytes().to_vec(),
            ..bob.envelope(1, &["alice"])
        };
        assert_eq!(bob.send(&world, &envelope).await.status, 204);
    }
    alice.delete(&world).await;
    world.relay.sweep().await.unwrap();
    let mut told = 0;
    let mut waiting = bob.waiting(&world).await;
    while !waiting.is_empty() {
        told += bounces(&waiting).len();
        waiting = bob.acknowledge(&world, &waiting).await;
    }
    assert_eq!(told, 600);
}

#[tokio::test]
async fn whoever_comes_back_under_a_deleted_name_follows_on_its_chain_and_reads_nothing_old() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    bob.send(&world, &bob.envelope(1, &["alice"])).await;
    let withdrawn = world.code("alice").await;
    alice.delete(&world).await;
    let mut next = alice.successor(2);
    next.code = withdrawn;
    assert!(next.enroll(&world).await.is(403, "code_refused"));
    let mut first = User::new("alice", 3);
    first.code = world.code("alice").await;
    let answer = first.enroll(&world).await;
    assert_eq!(answer.status, 409);
    let told: wire::EnrollResponse = codec::decode(&answer.body).unwrap();
    let entry = told.entry.unwrap();
    assert_eq!(entry.keys[0].bundle, Some(alice.signed_bundle()));
    assert_eq!(entry.profile, Some(wire::Profile::default()));
    next.code = first.code;
    assert_eq!(next.enroll(&world).await.status, 200);
    assert!(next.waiting(&world).await.is_empty());
    assert_eq!(
        bob.send(&world, &bob.envelope(1, &["alice"])).await.status,
        204
    );
    assert_eq!(
        next.waiting(&world).await.len(),
        1,
        "what bounced may be sent again"
    );
}
