//! Enrollment: who gets in, once, and what becomes of the installation before.

use crate::support::{User, World};
use connect_proto::keys::SignPublicKey;
use connect_proto::sign::{Purpose, SignSecretKey, verify};
use connect_proto::{codec, routes, wire};

const DAY_MS: u64 = 86_400_000;

fn entry(body: &[u8]) -> wire::DirectoryEntry {
    codec::decode::<wire::EnrollResponse>(body)
        .unwrap()
        .entry
        .unwrap()
}

fn states(entry: &wire::DirectoryEntry) -> Vec<(u64, wire::KeyState)> {
    let revision = |key: &wire::PublishedKey| {
        codec::decode::<wire::KeyBundle>(&key.bundle.as_ref().unwrap().bundle)
            .unwrap()
            .revision
    };
    entry
        .keys
        .iter()
        .map(|key| (revision(key), key.state()))
        .collect()
}

async fn lookup(world: &World, user: &User, ids: &[&str]) -> Vec<wire::DirectoryEntry> {
    let request = wire::LookupRequest {
        user_ids: ids.iter().map(|&id| id.to_owned()).collect(),
    };
    let answer = world
        .call(user, routes::LOOKUP, &codec::encode(&request))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.word());
    codec::decode::<wire::DirectoryEntries>(&answer.body)
        .unwrap()
        .entries
}

#[tokio::test]
async fn who_enrolls_is_in_the_directory() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    world.user("bob").await;
    let found = lookup(&world, &alice, &["nobody", "bob", "alice", "bob"]).await;
    let ids: Vec<_> = found.iter().map(|entry| entry.user_id.as_str()).collect();
    assert_eq!(ids, ["bob", "alice"]);
    assert_eq!(found[0].profile.as_ref().unwrap().display_name, "Dr. bob");
    assert_eq!(found[1].keys[0].bundle, Some(alice.signed_bundle()));
    assert!(!found[0].attested && found[0].revision == 1);
    world.relay.shutdown().await;
}

#[tokio::test]
async fn a_code_is_good_once() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let mut next = alice.successor(2);
    next.replace = true;
    next.code = alice.code.clone();
    assert!(next.enroll(&world).await.is(403, "code_refused"));
}

#[tokio::test]
async fn wrong_expired_and_other_peoples_codes_are_refused_alike() {
    let mut world = World::new().await;
    let mut alice = User::new("alice", 1);
    for code in ["", "what", "000000-00000-00000-00000-00000"] {
        alice.code = code.to_owned();
        assert!(alice.enroll(&world).await.is(403, "code_refused"));
    }
    alice.code = world.code("bob").await;
    assert!(alice.enroll(&world).await.is(403, "code_refused"));
    alice.code = world.code("alice").await;
    world.time.advance(DAY_MS);
    assert!(alice.enroll(&world).await.is(403, "code_refused"));
    alice.code = world.code("alice").await;
    world.time.advance(DAY_MS - 1);
    assert_eq!(alice.enroll(&world).await.status, 200);
}

#[tokio::test]
async fn an_enrollment_whose_answer_was_lost_is_answered_again() {
    let mut world = World::new().await;
    let mut alice = User::new("alice", 1);
    alice.code = world.code("alice").await;
    let signed = world.signed(&alice, routes::ENROLL, &alice.enrollment());
    let first = world.post(signed.clone()).await;
    assert_eq!(first.status, 200);
    assert_eq!(world.post(signed.clone()).await, first);
    let world = world.restarted().await;
    assert_eq!(alice.enroll(&world).await, first);
}

#[tokio::test]
async fn a_second_installation_needs_to_be_told_to_replace_the_first() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let mut next = alice.successor(2);
    next.code = world.code("alice").await;
    assert!(next.enroll(&world).await.is(409, "already_enrolled"));
    assert!(alice.waiting(&world).await.is_empty());

    next.replace = true;
    let answer = next.enroll(&world).await;
    assert_eq!(answer.status, 200, "the refusal has not used up the code");
    let states = states(&entry(&answer.body));
    assert!(
        states
            == [
                (2, wire::KeyState::KeyActive),
                (1, wire::KeyState::KeyReplaced)
            ]
    );
    let refused = world.call(&alice, routes::RECEIVE, b"").await;
    assert_eq!(
        refused.ended(&world).state,
        wire::KeyState::KeyReplaced as i32
    );
    assert!(next.waiting(&world).await.is_empty());
}

#[tokio::test]
async fn who_lost_everything_learns_what_to_chain_on() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let mut fresh = User::new("alice", 2);
    fresh.replace = true;
    fresh.code = world.code("alice").await;
    let refused = fresh.enroll(&world).await;
    assert_eq!(refused.status, 409);
    let newest = entry(&refused.body).keys[0].bundle.clone().unwrap();
    assert_eq!(newest, alice.signed_bundle());

    fresh.bundle.revision = 2;
    fresh.bundle.previous_digest = Some(connect_proto::bundle::digest(&newest));
    assert_eq!(fresh.enroll(&world).await.status, 200);
}

#[tokio::test]
async fn a_first_bundle_that_claims_a_predecessor_is_refused() {
    let mut world = World::new().await;
    let mut second = User::new("alice", 1).successor(2);
    second.code = world.code("alice").await;
    let refused = second.enroll(&world).await;
    assert_eq!(refused.status, 409);
    assert!(entry(&refused.body).keys.is_empty());
}

#[tokio::test]
async fn a_countersignature_must_be_the_old_keys() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let mut next = alice.successor(2);
    next.replace = true;
    next.code = world.code("alice").await;
    next.previous = Some(SignSecretKey::from_seed(&[99; 32]));
    assert!(next.enroll(&world).await.is(400, "wrong_bundle"));
    next.previous = Some(alice.key);
    assert_eq!(next.enroll(&world).await.status, 200);
}

#[tokio::test]
async fn the_others_are_told_of_a_replaced_installation() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let mut next = alice.successor(2);
    next.replace = true;
    next.code = world.code("alice").await;
    let answer = next.enroll(&world).await;
    let operations = codec::decode::<wire::EnrollResponse>(&answer.body)
        .unwrap()
        .operations_public_key;
    let operations = SignPublicKey::admit(&operations).unwrap();

    let told = bob.waiting(&world).await;
    let update = told[0].contact_update.as_ref().unwrap();
    verify(
        Purpose::ContactUpdate,
        &update.statement,
        &update.signature,
        &operations,
    )
    .unwrap();
    let statement: wire::ContactUpdateStatement = codec::decode(&update.statement).unwrap();
    assert_eq!(
        (statement.user_id.as_str(), statement.revision),
        ("alice", 1)
    );
    assert!(statement.state() == wire::KeyState::KeyReplaced);
    assert_eq!(
        statement.bundle_digest,
        next.bundle.previous_digest.unwrap()
    );
    assert!(told[0].sender_id.is_empty() && told[0].message_id.len() == 16 && told.len() == 1);

    let mut third = next.successor(3);
    third.replace = true;
    third.code = world.code("alice").await;
    third.enroll(&world).await;
    let told = bob.acknowledge(&world, &told).await;
    let update = told[0].contact_update.as_ref().unwrap();
    assert_eq!(
        codec::decode::<wire::ContactUpdateStatement>(&update.statement)
            .unwrap()
            .revision,
        2
    );
    assert!(bob.acknowledge(&world, &told).await.is_empty());
}

#[tokio::test]
async fn an_enrollment_is_signed_by_its_own_new_key_for_its_own_user() {
    let mut world = World::new().await;
    let mut alice = User::new("alice", 1);
    alice.code = world.code("alice").await;
    let body = alice.enrollment();
    let mut other_key = User::new("alice", 1);
    other_key.key = SignSecretKey::from_seed(&[5; 32]);
    assert!(
        world
            .call(&other_key, routes::ENROLL, &body)
            .await
            .is(401, "unauthenticated")
    );
    let bob = User::new("bob", 1);
    assert!(
        world
            .call(&bob, routes::ENROLL, &body)
            .await
            .is(401, "unauthenticated")
    );
    let mut swapped = world.signed(&alice, routes::ENROLL, &body);
    alice.replace = true;
    swapped.body = alice.enrollment();
    assert!(world.post(swapped).await.is(401, "unauthenticated"));
}

/// Every other call has headers that say whose it is; here it is the bundle that is signed by the new key.
#[tokio::test]
async fn an_enrollment_needs_no_headers_and_every_other_call_does() {
    let limits = connect_relay::limits::Limits {
        enrollments_per_minute: 2.try_into().unwrap(),
        ..Default::default()
    };
    let mut world = World::with(limits).await;
    let mut alice = User::new("alice", 1);
    let enroll = async |world: &World, body: &[u8]| world.post_bare(routes::ENROLL, body).await;
    let without_code = enroll(&world, &alice.enrollment()).await;
    assert!(without_code.is(403, "code_refused"));
    alice.code = world.code("alice").await;
    let mut forged: wire::EnrollRequest = codec::decode(&alice.enrollment()).unwrap();
    forged.bundle.as_mut().unwrap().signature[0] ^= 1;
    let forged = enroll(&world, &codec::encode(&forged)).await;
    assert!(forged.is(400, "wrong_bundle"), "{}", forged.word());
    let enrolled = enroll(&world, &alice.enrollment()).await;
    assert_eq!(enrolled.status, 200, "{}", enrolled.word());
    assert_eq!(lookup(&world, &alice, &["alice"]).await.len(), 1);
    let once_more = enroll(&world, &alice.enrollment()).await;
    assert!(once_more.is(429, "slow_down"), "{}", once_more.word());
    let lookup = world.post_bare(routes::LOOKUP, b"").await;
    assert!(lookup.is(401, "unauthenticated"));
}

#[tokio::test]
async fn malformed_enrollments_are_refused() {
    let mut world = World::new().await;
    let mut alice = User::new("alice", 1);
    alice.code = world.code("alice").await;
    let good: wire::EnrollRequest = codec::decode(&alice.enrollment()).unwrap();
    let profile = |display_name: &str| wire::Profile {
        display_name: display_name.to_owned(),
        ..Default::default()
    };
    let mut unsigned = good.clone();
    unsigned.bundle.as_mut().unwrap().signature[0] ^= 1;
    let table = [
        (
            wire::EnrollRequest {
                bundle: None,
                ..good.clone()
            },
            "wrong_bundle",
        ),
        (unsigned, "wrong_bundle"),
        (
            wire::EnrollRequest {
                profile: Some(profile("a\nb")),
                ..good.clone()
            },
            "wrong_profile",
        ),
    ];
    for (request, word) in table {
        let answer = world
            .call(&alice, routes::ENROLL, &codec::encode(&request))
            .await;
        assert!(answer.is(400, word), "{word}: {}", answer.word());
    }
    assert!(
        world
            .call(&alice, routes::ENROLL, &[0xff])
            .await
            .is(400, "malformed")
    );
    assert!(
        world
            .call(&alice, routes::ENROLL, &vec![0; 70_000])
            .await
            .is(413, "too_large")
    );
    assert_eq!(
        world
            .call(&alice, routes::ENROLL, &codec::encode(&good))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn enrollment_attempts_are_throttled_per_user() {
    let limits = connect_relay::limits::Limits {
        enrollments_per_minute: 2.try_into().unwrap(),
        ..Default::default()
    };
    let world = World::with(limits).await;
    let alice = User::new("alice", 1);
    for _ in 0..2 {
        assert!(alice.enroll(&world).await.is(403, "code_refused"));
    }
    let refused = alice.enroll(&world).await;
    assert!(refused.is(429, "slow_down") && refused.retry_after.is_some());
    assert!(
        User::new("bob", 1)
            .enroll(&world)
            .await
            .is(403, "code_refused")
    );
}
