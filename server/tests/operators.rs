//! What operators may do (§5.2, §10.6): roles, four eyes, and what each order does to a user.

use crate::support::orders::{delete, id, revoke};
use crate::support::{User, World};
use connect_proto::wire::{self, KeyState};
use connect_relay::operator::client::Badge;
use connect_relay::operator::order::{Order, Reason, Role};
use connect_relay::operator::token::Token;

fn issue_code(user: &str) -> Order {
    Order::IssueCode {
        user_id: id(user),
        code_hash: [7; 32],
    }
}

async fn attest(world: &World, badge: &Badge, user: &str) -> Order {
    let show = Order::Show { user_id: id(user) };
    let shown = world.order(Some(badge), show).await.unwrap().result;
    let mut profile_digest = [0; 32];
    let digest = shown["profile_digest"].as_str().unwrap();
    hex::decode_to_slice(digest, &mut profile_digest).unwrap();
    Order::Attest {
        user_id: id(user),
        profile_digest,
    }
}

async fn is_attested(world: &World, by: &User, user: &str) -> bool {
    by.look_up(world, &[user]).await[0].attested
}

#[tokio::test]
async fn each_order_takes_its_role() {
    let mut world = World::new().await;
    world.user("alice").await;
    let attesting = world.operator("nora", &[Role::Attest]).await;
    let revoking = world.operator("rosa", &[Role::Revoke]).await;
    let of_alice = attest(&world, &attesting, "alice").await;
    let withdraw = Order::WithdrawAttestation {
        user_id: id("alice"),
    };
    let remove = Order::RemoveOperator {
        name: "nora".parse().unwrap(),
    };
    for order in [
        revoke("alice", Reason::Requested),
        delete("alice"),
        Order::Confirm { id: 1 },
    ] {
        assert_eq!(
            world.refusal(Some(&attesting), order.clone()).await,
            "not_permitted"
        );
        assert_eq!(world.refusal(None, order).await, "credential_needed");
    }
    for order in [of_alice.clone(), withdraw.clone()] {
        assert_eq!(
            world.refusal(Some(&revoking), order.clone()).await,
            "not_permitted"
        );
        assert_eq!(world.refusal(None, order).await, "credential_needed");
    }
    assert_eq!(
        world.refusal(Some(&revoking), issue_code("bob")).await,
        "not_permitted"
    );
    for badge in [&attesting, &revoking] {
        assert_eq!(
            world.refusal(Some(badge), remove.clone()).await,
            "host_only"
        );
        for reads in [
            Order::Pending,
            Order::ListOperators,
            Order::Audit { after: 0 },
        ] {
            world.order(Some(badge), reads).await.unwrap();
        }
    }
    for order in [issue_code("carol"), of_alice, withdraw] {
        world.order(Some(&attesting), order).await.unwrap();
    }
    world
        .order(Some(&revoking), revoke("alice", Reason::Requested))
        .await
        .unwrap();
    world.order(Some(&revoking), delete("alice")).await.unwrap();
}

#[tokio::test]
async fn a_wrong_or_removed_credential_opens_nothing_and_is_in_the_log() {
    let mut world = World::new().await;
    world.user("alice").await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    let guessed = Badge {
        name: "rosa".parse().unwrap(),
        token: Token::from_text("connect_operator_0"),
    };
    let unknown = Badge {
        name: "nobody".parse().unwrap(),
        token: Token::from_text(rosa.token.expose()),
    };
    let order = revoke("alice", Reason::Compromised);
    for badge in [&guessed, &unknown] {
        assert_eq!(
            world.refusal(Some(badge), order.clone()).await,
            "wrong_credential"
        );
    }
    let name = rosa.name.clone();
    world
        .order(None, Order::RemoveOperator { name })
        .await
        .unwrap();
    assert_eq!(world.refusal(Some(&rosa), order).await, "wrong_credential");
    let log = world.log().await;
    let refused: Vec<_> = log
        .iter()
        .filter(|entry| entry.outcome == "refused: wrong_credential")
        .map(|entry| {
            (
                entry.operator.as_str(),
                entry.order.as_str(),
                entry.user_id.as_deref(),
            )
        })
        .collect();
    let alice = Some("alice");
    assert_eq!(
        refused,
        [
            ("rosa", "revoke_keys", alice),
            ("nobody", "revoke_keys", alice),
            ("rosa", "revoke_keys", alice)
        ]
    );
    assert!(world.verify_log(None).await.trouble.is_empty());
}

#[tokio::test]
async fn a_revoked_user_is_shut_out_and_the_others_are_told_why() {
    for (reason, state) in [
        (Reason::Compromised, KeyState::KeyCompromised as i32),
        (Reason::Requested, KeyState::KeyRevoked as i32),
    ] {
        let mut world = World::new().await;
        let alice = world.user("alice").await;
        let bob = world.user("bob").await;
        let rosa = world.operator("rosa", &[Role::Revoke]).await;
        world
            .order(Some(&rosa), revoke("alice", reason))
            .await
            .unwrap();
        let refused = alice.receive(&world, &wire::Ack::default()).await;
        assert_eq!(refused.ended(&world).state, state);
        let told = bob.waiting(&world).await;
        let statement = world.statement(told[0].contact_update.as_ref().unwrap());
        assert_eq!((statement.state, statement.revision), (state, 1));
        let entry = bob.look_up(&world, &["alice"]).await.remove(0);
        assert_eq!(entry.keys[0].state, state, "the entry tells its states");
        assert_eq!(
            world
                .refusal(Some(&rosa), revoke("alice", Reason::Requested))
                .await,
            "no_active_key"
        );
        assert_eq!(
            world.refusal(Some(&rosa), revoke("nobody", reason)).await,
            "unknown_user"
        );
    }
}

#[tokio::test]
async fn what_waits_for_a_revoked_user_stays_and_nothing_new_is_taken_in() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    let before = bob.envelope(1, &["alice"]);
    assert_eq!(bob.send(&world, &before).await.status, 204);
    let stolen = world.code("alice").await;
    world
        .order(Some(&rosa), revoke("alice", Reason::Compromised))
        .await
        .unwrap();
    let refused = bob.send(&world, &bob.envelope(2, &["alice"])).await;
    assert!(
        refused.is(423, "recipient_without_key"),
        "{}",
        refused.word()
    );
    let both = bob.send(&world, &bob.envelope(3, &["bob", "alice"])).await;
    assert_eq!(both.status, 423, "for all or for none");
    assert_eq!(
        bob.send(&world, &before).await.status,
        204,
        "a repeat is one"
    );

    let mut next = alice.successor(2);
    next.code = stolen;
    assert!(next.enroll(&world).await.is(403, "code_refused"));
    next.code = world.code("alice").await;
    assert_eq!(
        next.enroll(&world).await.status,
        200,
        "nothing is there to be replaced"
    );
    assert_eq!(next.waiting(&world).await.len(), 1);
    assert_eq!(
        bob.send(&world, &bob.envelope(2, &["alice"])).await.status,
        204
    );
}

#[tokio::test]
async fn an_earlier_key_may_turn_out_to_be_compromised() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    let next = alice.rotated(2);
    alice.rotate(&world, &next).await;
    let earlier = |reason, revision| Order::RevokeKeys {
        user_id: id("alice"),
        reason,
        revision: Some(revision),
        note: None,
    };
    assert_eq!(
        world
            .refusal(Some(&rosa), earlier(Reason::Requested, 1))
            .await,
        "unknown_key"
    );
    assert_eq!(
        world
            .refusal(Some(&rosa), earlier(Reason::Compromised, 9))
            .await,
        "unknown_key"
    );
    world
        .order(Some(&rosa), earlier(Reason::Compromised, 1))
        .await
        .unwrap();
    let states: Vec<_> = next.look_up(&world, &["alice"]).await[0]
        .keys
        .iter()
        .map(|key| key.state)
        .collect();
    assert_eq!(
        states,
        [KeyState::KeyActive as i32, KeyState::KeyCompromised as i32]
    );
    assert!(world.verify_log(None).await.trouble.is_empty());
}

#[tokio::test]
async fn an_attestation_is_for_the_profile_that_was_looked_at_and_goes_with_it() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let nora = world.operator("nora", &[Role::Attest]).await;
    let profile = |name: &str| wire::Profile {
        display_name: name.to_owned(),
        ..Default::default()
    };
    let seen = attest(&world, &nora, "alice").await;
    alice.set_profile(&world, &profile("Chief Physician")).await;
    assert_eq!(world.refusal(Some(&nora), seen).await, "profile_changed");
    assert!(!is_attested(&world, &alice, "alice").await);
    let seen = attest(&world, &nora, "alice").await;
    world.order(Some(&nora), seen).await.unwrap();
    assert!(is_attested(&world, &alice, "alice").await);
    alice.set_profile(&world, &profile("Chief Physician")).await;
    assert!(
        is_attested(&world, &alice, "alice").await,
        "nothing changed"
    );
    alice.set_profile(&world, &profile("Chief")).await;
    assert!(!is_attested(&world, &alice, "alice").await);
    let seen = attest(&world, &nora, "alice").await;
    world.order(Some(&nora), seen).await.unwrap();
    let withdraw = Order::WithdrawAttestation {
        user_id: id("alice"),
    };
    world.order(Some(&nora), withdraw).await.unwrap();
    assert!(!is_attested(&world, &alice, "alice").await);
}

#[tokio::test]
async fn an_attestation_says_nothing_of_keys() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let nora = world.operator("nora", &[Role::Attest]).await;
    let before = alice.look_up(&world, &["alice"]).await.remove(0);
    let seen = attest(&world, &nora, "alice").await;
    world.order(Some(&nora), seen).await.unwrap();
    let after = alice.look_up(&world, &["alice"]).await.remove(0);
    assert_eq!(
        after,
        wire::DirectoryEntry {
            attested: true,
            ..before
        },
        "attested is one field, and nothing else of the entry changed"
    );
    let next = alice.rotated(2);
    alice.rotate(&world, &next).await;
    assert!(
        is_attested(&world, &next, "alice").await,
        "it is about the profile"
    );
}

#[tokio::test]
async fn a_deleted_account_takes_an_operator_with_the_role() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    bob.send(&world, &bob.envelope(1, &["alice"])).await;
    world.order(Some(&rosa), delete("alice")).await.unwrap();
    let kept = bob.look_up(&world, &["alice"]).await;
    assert_eq!(kept[0].profile, Some(wire::Profile::default()));
    assert_eq!(kept[0].keys[0].state, KeyState::KeyRevoked as i32);
    let refused = alice.receive(&world, &wire::Ack::default()).await;
    assert_eq!(refused.ended(&world).state, KeyState::KeyRevoked as i32);
    let told = bob.waiting(&world).await;
    assert!(told.iter().any(|envelope| envelope.bounce.is_some()));
    assert_eq!(
        world.refusal(Some(&rosa), delete("alice")).await,
        "unknown_user"
    );
    assert!(world.verify_log(None).await.trouble.is_empty());
}

/// A key may turn out to be compromised after it was revoked for another reason.
#[tokio::test]
async fn deleting_as_compromised_says_so_of_a_key_that_was_revoked_before() {
    let mut world = World::new().await;
    world.user("alice").await;
    let bob = world.user("bob").await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    let requested = revoke("alice", Reason::Requested);
    world.order(Some(&rosa), requested).await.unwrap();
    let deleting = Order::DeleteAccount {
        user_id: id("alice"),
        reason: Reason::Compromised,
        note: None,
        revision: None,
    };
    world.order(Some(&rosa), deleting).await.unwrap();
    let told = bob.waiting(&world).await;
    let states: Vec<_> = told
        .iter()
        .map(|envelope| world.statement(envelope.contact_update.as_ref().unwrap()))
        .map(|statement| statement.state)
        .collect();
    assert_eq!(
        states,
        [KeyState::KeyRevoked as i32, KeyState::KeyCompromised as i32]
    );
    assert!(world.verify_log(None).await.trouble.is_empty());
}

#[tokio::test]
async fn orders_are_throttled_and_the_hosts_own_are_not() {
    let mut world = World::with(connect_relay::limits::Limits {
        operator_orders_per_minute: 3.try_into().unwrap(),
        ..Default::default()
    })
    .await;
    let nora = world.operator("nora", &[Role::Attest]).await;
    for _ in 0..3 {
        world.order(Some(&nora), Order::Pending).await.unwrap();
    }
    let refused = world.order(Some(&nora), Order::Pending).await.unwrap_err();
    assert!(refused.to_string().contains("429"), "{refused}");
    world.order(None, Order::Pending).await.unwrap();
}
