//! New keys by the user's own hand (§5.1): nothing that is under way is lost, and it is marked.

use anyhow::{Context as _, Result};
use connect_api::account::{Account, Get, RotateKeys};
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::messages::{Auth, MessageState};
use connect_api::page::Nothing;
use connect_api::recovery::RecoveryKey;
use connect_api::session::{
    ChangePin, ChangePinParams, Lock, Pin, Recover, RecoverParams, SetRecoveryKey,
    SetRecoveryKeyParams,
};
use connect_tests::apart::POLL;
use connect_tests::fake_relay::Reply;
use connect_tests::mischief::Story;
use connect_tests::world::{PIN, Person, World, refusal};
use rand_core::OsRng;

const DAY_MS: u64 = 24 * 3600 * 1000;
const NEW_PIN: &str = "another-pin-40817";

async fn rotates(person: &Person) -> Result<Account> {
    Ok(person.client.call::<RotateKeys>(Nothing {}).await?)
}

async fn account(person: &Person) -> Result<Account> {
    Ok(person.client.call::<Get>(Nothing {}).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_installation_goes_on_under_other_keys() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let before = account(&alice).await?;
    let hello = alice.writes(&bob, "hello").await?;
    bob.receives(&hello).await?;

    let after = rotates(&alice).await?;
    assert_eq!(after.installation_id, before.installation_id);
    assert_ne!(after.box_key_id, before.box_key_id);
    assert_ne!(after.sign_key_id, before.sign_key_id);
    assert_ne!(after.fingerprint, before.fingerprint);
    assert_eq!(account(&alice).await?, after);
    bob.sees(|body| matches!(body, EventBody::KeyChanged { user_id, .. } if user_id == "alice"))
        .await?;
    for text in ["under the new key", "and once more"] {
        let there = alice.writes(&bob, text).await?;
        assert_eq!(bob.receives(&there).await?.auth, Auth::Current);
        let back = bob.writes(&alice, text).await?;
        assert_eq!(alice.receives(&back).await?.auth, Auth::Current);
    }
    alice.restart().await?;
    assert_eq!(account(&alice).await?, after);
    let again = rotates(&alice).await?;
    assert_ne!(again.fingerprint, after.fingerprint);
    let last = bob.writes(&alice, "still here").await?;
    alice.receives(&last).await?;
    Ok(())
}

/// What is queued goes out under the new key; what others had queued under the old one is opened by it.
#[tokio::test(flavor = "multi_thread")]
async fn messages_under_way_in_both_directions_are_all_read() -> Result<()> {
    let mut world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    bob.adds(&alice).await?;
    world.stop_relay().await;
    let mut to_bob = Vec::new();
    let mut to_alice = Vec::new();
    for number in 0..5 {
        to_bob.push(alice.writes(&bob, &format!("to bob {number}")).await?);
        to_alice.push(bob.writes(&alice, &format!("to alice {number}")).await?);
    }
    bob.stop().await;
    let offline = alice.client.call::<RotateKeys>(Nothing {}).await;
    assert_eq!(refusal(offline)?, ErrorCode::RelayUnreachable);
    let before = account(&alice).await?;
    world.start_relay().await?;
    // It goes on by itself.
    while account(&alice).await?.fingerprint == before.fingerprint {
        tokio::time::sleep(POLL).await;
    }
    bob.start().await?;
    bob.unlock().await?;
    for id in &to_alice {
        alice.receives(id).await?;
    }
    for id in &to_bob {
        bob.receives(id).await?;
        alice.sees_state(id, MessageState::Delivered).await?;
    }
    for (reader, other, written) in [(&alice, &bob, &to_alice), (&bob, &alice, &to_bob)] {
        let read = reader.reads(other).await?;
        let read: Vec<_> = read
            .iter()
            .filter(|message| !message.outgoing)
            .map(|message| &message.message_id)
            .collect();
        assert_eq!(read, written.iter().collect::<Vec<_>>());
        let inbox = reader.client.health().await?.inbox;
        assert_eq!((inbox.missing, inbox.quarantined), (0, 0));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_to_the_old_key_is_marked_and_after_a_month_refused() -> Result<()> {
    let story = Story::new().await?;
    let old = story.honest("sealed before");
    let late = story.honest("sealed before, and much too late");
    rotates(&story.alice).await?;
    let mut new = story.text("sealed after");
    let to = story.relay.enrolled()?;
    new.recipient_box_key = to.box_key.to_vec();
    let new = story.mallory.sealed(&to, &new);
    let id = |envelope: &connect_proto::wire::Envelope| hex::encode(&envelope.message_id);
    let (old_id, new_id, late_id) = (id(&old), id(&new), id(&late));
    story.relay.replies(Reply::Page(vec![old, new]));
    assert_eq!(story.alice.receives(&old_id).await?.auth, Auth::RetiredKey);
    assert_eq!(story.alice.receives(&new_id).await?.auth, Auth::Current);
    story.world.advance(31 * DAY_MS);
    story.relay.replies(Reply::Page(vec![late]));
    let refused = story.alice.sees(|body| {
        matches!(body, EventBody::MessageQuarantined { message_id: Some(id), reason, .. }
            if *id == late_id && reason == "retired_key_expired")
    });
    refused.await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pin_and_recovery_key_open_the_rotated_keys() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    let key = RecoveryKey::generate(&mut OsRng);
    let params = SetRecoveryKeyParams {
        pin: Pin::new(PIN.to_owned()),
        recovery_key: key.clone(),
    };
    alice.client.call::<SetRecoveryKey>(params).await?;
    let rotated = rotates(&alice).await?;
    let params = ChangePinParams {
        pin: Pin::new(PIN.to_owned()),
        new_pin: Pin::new(NEW_PIN.to_owned()),
    };
    alice.client.call::<ChangePin>(params).await?;
    alice.client.call::<Lock>(Nothing {}).await?;
    let params = RecoverParams {
        recovery_key: key,
        new_pin: Pin::new(PIN.to_owned()),
    };
    alice.client.call::<Recover>(params).await?;
    assert_eq!(account(&alice).await?, rotated);
    alice.client.call::<Lock>(Nothing {}).await?;
    alice.unlock().await?;
    bob.adds(&alice).await?;
    let id = bob.writes(&alice, "to the rotated key").await?;
    alice.receives(&id).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_s_refusal_leaves_the_old_keys_in_force() -> Result<()> {
    let mut world = World::new().await?;
    let alice = world.person("alice").await?;
    let before = account(&alice).await?;
    world.stop_relay().await;
    let offline = alice.client.call::<RotateKeys>(Nothing {}).await;
    assert_eq!(refusal(offline)?, ErrorCode::RelayUnreachable);
    assert_eq!(account(&alice).await?, before);
    let pending = std::fs::read_to_string(alice.state_dir.join("account/keys.sealed"))?;
    pending
        .find("\"next\"")
        .context("durable before the relay is asked")?;
    Ok(())
}
