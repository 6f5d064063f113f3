//! Where two people have to agree (§10.6): what is proposed, what is confirmed, and what comes in between.

use crate::support::orders::{delete, revoke};
use crate::support::{DAY_MS, World};
use connect_proto::wire::{self, KeyState};
use connect_relay::operator::order::{Order, Reason, Role};

#[tokio::test]
async fn with_four_eyes_a_revocation_waits_for_another_operator() {
    let mut world = World::configured("[operators]\nfour_eyes = true").await;
    let alice = world.user("alice").await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    let otto = world.operator("otto", &[Role::Revoke]).await;
    let nora = world.operator("nora", &[Role::Attest]).await;
    let wanted = revoke("alice", Reason::Compromised);
    let pending = world.order(Some(&rosa), wanted.clone()).await.unwrap();
    let id = pending.result["pending"].as_u64().unwrap();
    assert_eq!(
        alice.receive(&world, &wire::Ack::default()).await.status,
        200
    );
    let confirm = Order::Confirm { id };
    assert_eq!(
        world.refusal(Some(&rosa), confirm.clone()).await,
        "same_operator"
    );
    assert_eq!(
        world.refusal(Some(&nora), confirm.clone()).await,
        "not_permitted"
    );
    assert_eq!(
        world.refusal(None, confirm.clone()).await,
        "credential_needed"
    );
    assert_eq!(
        world.refusal(Some(&otto), Order::Confirm { id: 99 }).await,
        "unknown_proposal"
    );
    assert_eq!(
        alice.receive(&world, &wire::Ack::default()).await.status,
        200
    );
    world.order(Some(&otto), confirm.clone()).await.unwrap();
    assert_eq!(
        alice.receive(&world, &wire::Ack::default()).await.status,
        401
    );
    assert_eq!(
        world.refusal(Some(&otto), confirm).await,
        "unknown_proposal"
    );

    let log = world.log().await;
    let done = log.iter().rfind(|entry| entry.outcome == "done").unwrap();
    assert_eq!(done.order, "revoke_keys");
    assert_eq!(done.operator, "otto");
    assert_eq!(done.proposed_by.as_deref(), Some("rosa"));
    assert_eq!(done.note.as_deref(), Some("by telephone"));
    assert!(world.verify_log(None).await.trouble.is_empty());
}

/// What two people agreed on, and nothing that came since.
#[tokio::test]
async fn what_is_confirmed_is_what_was_proposed() {
    let mut world = World::configured("[operators]\nfour_eyes = true").await;
    let stolen = world.user("alice").await;
    let gone = world.user("carol").await;
    let bob = world.user("bob").await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    let otto = world.operator("otto", &[Role::Revoke]).await;
    let mut ids = Vec::new();
    for wanted in [revoke("alice", Reason::Compromised), delete("carol")] {
        let pending = world.order(Some(&rosa), wanted).await.unwrap();
        ids.push(pending.result["pending"].as_u64().unwrap());
    }
    let proposed = world.log().await;
    let proposed = proposed.iter().find(|entry| entry.outcome == "pending");
    assert_eq!(proposed.unwrap().revision, Some(1));
    let again = world.reinstalled(&stolen, 2).await;
    let back = world.reinstalled(&gone, 2).await;

    let id = ids[0];
    world
        .order(Some(&otto), Order::Confirm { id })
        .await
        .unwrap();
    let entry = bob.look_up(&world, &["alice"]).await.remove(0);
    let states: Vec<_> = entry.keys.iter().map(|key| key.state).collect();
    assert_eq!(
        states,
        [KeyState::KeyActive as i32, KeyState::KeyCompromised as i32]
    );
    let answer = again.receive(&world, &wire::Ack::default()).await;
    assert_eq!(answer.status, 200);
    let id = ids[1];
    assert_eq!(
        world.refusal(Some(&otto), Order::Confirm { id }).await,
        "changed_since"
    );
    let answer = back.receive(&world, &wire::Ack::default()).await;
    assert_eq!(answer.status, 200);
    assert!(world.verify_log(None).await.trouble.is_empty());
}

#[tokio::test]
async fn a_proposal_ends_after_a_day_by_cancelling_or_with_its_proposer() {
    let mut world = World::configured("[operators]\nfour_eyes = true").await;
    world.user("alice").await;
    let rosa = world.operator("rosa", &[Role::Revoke]).await;
    let otto = world.operator("otto", &[Role::Revoke]).await;
    let propose = async || {
        let pending = world.order(Some(&rosa), delete("alice")).await.unwrap();
        pending.result["pending"].as_u64().unwrap()
    };
    let id = propose().await;
    world.time.advance(DAY_MS);
    assert_eq!(
        world.refusal(Some(&otto), Order::Confirm { id }).await,
        "unknown_proposal"
    );
    let log = world.log().await;
    let expired = log.iter().find(|entry| entry.order == "expire").unwrap();
    assert_eq!(expired.operator, "relay");
    assert_eq!(expired.user_id.as_deref(), Some("alice"));
    assert_eq!(expired.proposed_by.as_deref(), Some("rosa"));
    let id = propose().await;
    world
        .order(Some(&otto), Order::Cancel { id })
        .await
        .unwrap();
    assert_eq!(
        world.refusal(Some(&otto), Order::Confirm { id }).await,
        "unknown_proposal"
    );
    let id = propose().await;
    let name = rosa.name.clone();
    world
        .order(None, Order::RemoveOperator { name })
        .await
        .unwrap();
    assert_eq!(
        world.refusal(Some(&otto), Order::Confirm { id }).await,
        "proposer_gone"
    );
    assert!(world.verify_log(None).await.trouble.is_empty());
}
