//! New keys of the same installation (D10): who may publish them, who is told, and what the old ones are good for.

use crate::support::{User, World, nonce};
use connect_proto::hash::sha256;
use connect_proto::wire::KeyState;
use connect_proto::{codec, routes, wire};

fn states(entry: &wire::DirectoryEntry) -> Vec<i32> {
    entry.keys.iter().map(|key| key.state).collect()
}

fn digest(user: &User) -> Vec<u8> {
    sha256(&user.signed_bundle().bundle).to_vec()
}

#[tokio::test]
async fn the_new_key_takes_the_old_ones_place_and_the_others_are_told() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let next = alice.rotated(2);
    let answer = alice.rotate(&world, &next).await;
    assert_eq!(answer.status, 200, "{}", answer.word());
    let entry = answer.entry();
    assert_eq!(entry.revision, 2);
    assert_eq!(
        states(&entry),
        [KeyState::KeyActive as i32, KeyState::KeyReplaced as i32]
    );
    assert_eq!(entry.keys[0].bundle, Some(next.signed_bundle()));
    assert_eq!(bob.look_up(&world, &["alice"]).await, [entry]);

    let told = bob.waiting(&world).await;
    let statement = world.statement(told[0].contact_update.as_ref().unwrap());
    assert_eq!(statement.user_id, "alice");
    assert_eq!(statement.revision, 1);
    assert_eq!(statement.bundle_digest, digest(&alice));
    assert_eq!(statement.state, KeyState::KeyReplaced as i32);

    assert_eq!(
        next.receive(&world, &wire::Ack::default()).await.status,
        200
    );
    let third = next.rotated(3);
    next.rotate(&world, &third).await;
    let told = bob.acknowledge(&world, &told).await;
    let statement = world.statement(told[0].contact_update.as_ref().unwrap());
    assert_eq!(statement.revision, 2, "it only rises");
}

#[tokio::test]
async fn a_lost_answer_is_given_again_to_the_new_key_and_to_the_old_one() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let next = alice.rotated(2);
    let answer = alice.rotate(&world, &next).await;
    for again in [
        next.rotate(&world, &next).await,
        alice.rotate(&world, &next).await,
    ] {
        assert_eq!((again.status, &again.body), (answer.status, &answer.body));
    }
    assert_eq!(bob.waiting(&world).await.len(), 1);
    // The nonce is spent all the same.
    let body = codec::encode(&next.signed_bundle());
    let (now, once) = (world.clock.now_ms(), nonce());
    let signed = world.signed_as(&alice, routes::KEYS, &body, now, once);
    assert_eq!(world.post(signed.clone()).await.status, 200);
    assert_eq!(world.post(signed).await.status, 401);
}

#[tokio::test]
async fn a_wrong_chain_is_answered_with_the_right_one() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let mut skipping = alice.rotated(2);
    skipping.bundle.revision = 3;
    let mut forked = alice.rotated(2);
    forked.bundle.previous_digest = Some([7; 32]);
    for wrong in [skipping, forked] {
        let answer = alice.rotate(&world, &wrong).await;
        assert_eq!(answer.status, 409);
        let entry = answer.entry();
        assert_eq!(entry.keys[0].bundle, Some(alice.signed_bundle()));
    }
}

#[tokio::test]
async fn only_the_old_key_countersigns_and_only_its_own_installation_rotates() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let mut unsigned = alice.rotated(2);
    unsigned.previous = None;
    let answer = alice.rotate(&world, &unsigned).await;
    assert!(
        answer.is(422, "wrong_countersignature"),
        "{}",
        answer.word()
    );
    let mut by_another = alice.rotated(2);
    by_another.previous = Some(User::new("alice", 9).key);
    let answer = alice.rotate(&world, &by_another).await;
    assert!(
        answer.is(422, "wrong_countersignature"),
        "{}",
        answer.word()
    );
    let mut elsewhere = alice.rotated(2);
    elsewhere.bundle.installation_id = User::new("alice", 9).bundle.installation_id;
    let answer = alice.rotate(&world, &elsewhere).await;
    assert!(answer.is(422, "other_installation"), "{}", answer.word());
    let same_key = alice.rotated(1);
    let answer = alice.rotate(&world, &same_key).await;
    assert!(answer.is(422, "key_used_before"), "{}", answer.word());
    let bob = world.user("bob").await;
    let answer = bob.rotate(&world, &alice.rotated(2)).await;
    assert!(answer.is(400, "wrong_bundle"), "{}", answer.word());
    let garbage = world.call(&alice, routes::KEYS, &[0xff]).await;
    assert!(garbage.is(400, "malformed"));
    let entry = bob.look_up(&world, &["alice"]).await.remove(0);
    assert_eq!(
        states(&entry),
        [KeyState::KeyActive as i32],
        "nothing changed"
    );
}

#[tokio::test]
async fn a_former_key_is_told_what_became_of_it_and_nobody_else_is() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let next = alice.rotated(2);
    alice.rotate(&world, &next).await;
    for path in [
        routes::RECEIVE,
        routes::SEND,
        routes::LOOKUP,
        routes::PROFILE,
    ] {
        let statement = world.call(&alice, path, b"").await.ended(&world);
        assert_eq!(statement.bundle_digest, digest(&alice), "{path}");
        assert_eq!(statement.state, KeyState::KeyReplaced as i32);
        assert_eq!(statement.revision, 1);
    }
    // By another bundle than the one that was accepted, a former key learns the same.
    let statement = alice.rotate(&world, &alice.rotated(5)).await.ended(&world);
    assert_eq!(statement.bundle_digest, digest(&alice));
    let stranger = User::new("alice", 77);
    let unknown = User::new("nobody", 1);
    let refused = world.call(&stranger, routes::RECEIVE, b"").await;
    assert!(refused.is(401, "unauthenticated"));
    assert_eq!(world.call(&unknown, routes::RECEIVE, b"").await, refused);
    let mut swapped = world.signed(&alice, routes::RECEIVE, b"");
    swapped.path = routes::LOOKUP.to_owned();
    assert!(world.post(swapped).await.is(401, "unauthenticated"));
}

#[tokio::test]
async fn three_former_keys_are_remembered_as_many_as_are_tried_on_messages() {
    let mut world = World::new().await;
    let mut keys = vec![world.user("alice").await];
    for seed in 2..6 {
        let newest = keys.last().unwrap();
        let next = newest.rotated(seed);
        assert_eq!(newest.rotate(&world, &next).await.status, 200);
        keys.push(next);
    }
    let answer = world.call(&keys[0], routes::RECEIVE, b"").await;
    assert!(answer.is(401, "unauthenticated"));
    for former in &keys[1..4] {
        let answer = world.call(former, routes::RECEIVE, b"").await;
        assert_eq!(answer.ended(&world).bundle_digest, digest(former));
    }
    assert_eq!(world.call(&keys[4], routes::RECEIVE, b"").await.status, 200);
}

#[tokio::test]
async fn a_replaced_installation_that_waits_is_told_and_gets_nothing_more() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let wait = wire::Ack {
        wait_ms: 30_000,
        ..Default::default()
    };
    let mut next = alice.successor(2);
    next.replace = true;
    next.code = world.code("alice").await;
    let (answer, ()) = tokio::join!(alice.receive(&world, &wait), async {
        while world.relay.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(next.enroll(&world).await.status, 200);
        assert_eq!(
            bob.send(&world, &bob.envelope(1, &["alice"])).await.status,
            204
        );
    });
    let statement = answer.ended(&world);
    assert_eq!(statement.state, KeyState::KeyReplaced as i32);
    assert_eq!(next.waiting(&world).await.len(), 1);
}

#[tokio::test]
async fn an_installation_that_waits_while_it_rotates_is_not_told_that_it_ended() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let wait = wire::Ack {
        wait_ms: 30_000,
        ..Default::default()
    };
    let next = alice.rotated(2);
    let (answer, ()) = tokio::join!(alice.receive(&world, &wait), async {
        while world.relay.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(alice.rotate(&world, &next).await.status, 200);
    });
    assert!(answer.envelopes().envelopes.is_empty());
}

#[tokio::test]
async fn a_key_that_ended_never_comes_back_by_enrollment() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let next = alice.rotated(2);
    alice.rotate(&world, &next).await;
    let mut back = next.successor(1);
    back.replace = true;
    back.code = world.code("alice").await;
    assert!(back.enroll(&world).await.is(400, "wrong_bundle"));
}

/// The one key that an installation had stays known for as long as the relay can, whatever came after it.
#[tokio::test]
async fn an_installation_that_was_replaced_long_ago_is_still_told_so() {
    let mut world = World::new().await;
    let lost = world.user("alice").await;
    let mut current = world.reinstalled(&lost, 2).await;
    for seed in 3..9 {
        let next = current.rotated(seed);
        assert_eq!(current.rotate(&world, &next).await.status, 200);
        current = next;
    }
    let answer = lost.receive(&world, &wire::Ack::default()).await;
    assert_eq!(answer.status, 401);
    let update = codec::decode::<wire::ContactUpdate>(&answer.body).unwrap();
    assert_eq!(world.statement(&update).bundle_digest, digest(&lost));
}

#[tokio::test]
async fn keys_are_rotated_so_often_a_day_and_a_lost_answer_is_not_counted() {
    let mut world = World::with(connect_relay::limits::Limits {
        rotations_per_day: 2.try_into().unwrap(),
        ..Default::default()
    })
    .await;
    let alice = world.user("alice").await;
    let next = alice.rotated(2);
    for _ in 0..4 {
        assert_eq!(alice.rotate(&world, &next).await.status, 200);
        assert_eq!(next.rotate(&world, &next).await.status, 200);
    }
    let third = next.rotated(3);
    assert_eq!(next.rotate(&world, &third).await.status, 200);
    let refused = third.rotate(&world, &third.rotated(4)).await;
    assert_eq!(refused.status, 429, "{}", refused.word());
    assert_eq!(third.rotate(&world, &third).await.status, 200);
}
