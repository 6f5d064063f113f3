//! An installation that is at its end: it learns of it, says so, and forgets its keys (§5.1, §5.2, D27).

use anyhow::{Result, ensure};
use connect_api::account::{
    Delete, DeleteParams, Enroll, Get, RotateKeys, UpdateProfile, UpdateProfileParams,
};
use connect_api::contacts::{Add, UserParams};
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::page::Nothing;
use connect_api::session::{Pin, Unlock, UnlockParams};
use connect_api::system::State;
use connect_client::client::Client;
use connect_proto::sign::SignSecretKey;
use connect_proto::wire;
use connect_tests::apart::POLL;
use connect_tests::fake_relay::{Reply, dismissal, operations_key};
use connect_tests::mischief::Story;
use connect_tests::world::{PIN, Person, World, refusal};

async fn is_in(client: &Client, wanted: State) -> Result<()> {
    while client.hello().await?.state != wanted {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn replaced(world: &World, user: &str) -> Result<Person> {
    let mut again = world.stranger(&format!("{user}-again")).await?;
    let mut enrollment = world.enrollment(user).await?;
    enrollment.replace_existing_installation = true;
    again.client.call::<Enroll>(enrollment).await?;
    user.clone_into(&mut again.name);
    Ok(again)
}

fn pin() -> Pin {
    Pin::new(PIN.to_owned())
}

async fn deletes(person: &Person, pin: &str, erase: bool) -> Result<State, ErrorCode> {
    let pin = Pin::new(pin.to_owned());
    match person
        .client
        .call::<Delete>(DeleteParams { pin, erase })
        .await
    {
        Ok(answer) => Ok(answer.state),
        refused => Err(refusal(refused).expect("a code")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_installation_learns_of_it_and_stays_so_until_it_enrolls_anew() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    bob.adds(&alice).await?;
    let id = bob.writes(&alice, "hello").await?;
    alice.receives(&id).await?;
    let told = {
        let mut events = alice.events();
        tokio::spawn(async move {
            while let Some(Ok(event)) = events.next().await {
                if event.body == (EventBody::InstallationRevoked {}) {
                    return true;
                }
            }
            false
        })
    };
    let elsewhere = replaced(&world, "alice").await?;
    is_in(&alice.client, State::Revoked).await?;
    ensure!(told.await?, "whoever follows the events is told");
    for _ in 0..2 {
        let refused = alice.client.call::<Get>(Nothing {}).await;
        assert_eq!(refusal(refused)?, ErrorCode::InstallationRevoked);
        let refused = alice
            .client
            .call::<Unlock>(UnlockParams { pin: pin() })
            .await;
        assert_eq!(refusal(refused)?, ErrorCode::InstallationRevoked);
        assert_eq!(alice.client.health().await?.state, State::Revoked);
        alice.stop().await;
        alice.start().await?;
    }
    let hello = bob.writes(&alice, "to the new one").await?;
    elsewhere.receives(&hello).await?;

    let mut enrollment = world.enrollment("alice").await?;
    let refused = alice.client.call::<Enroll>(enrollment.clone()).await;
    assert_eq!(refusal(refused)?, ErrorCode::Invalid);
    assert_eq!(alice.client.hello().await?.state, State::Revoked);
    enrollment.replace_existing_installation = true;
    alice.client.call::<Enroll>(enrollment).await?;
    is_in(&elsewhere.client, State::Revoked).await?;
    assert_eq!(alice.client.hello().await?.state, State::Unlocked);
    let aside = alice.state_dir.join("account.revoked-1");
    ensure!(aside.join("messages.db").is_file(), "nothing is destroyed");
    alice.restart().await?;
    let hello = bob.writes(&alice, "back again").await?;
    alice.receives(&hello).await?;
    Ok(())
}

/// The answer to a rotation was lost, and then the operator revoked the new key: the daemon stands at the old one still.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_rotation_s_new_key_ends_the_installation_that_never_got_to_it() -> Result<()>
{
    let story = Story::new().await?;
    story
        .relay
        .has_ended_rotations(wire::KeyState::KeyCompromised);
    let refused = story.alice.client.call::<RotateKeys>(Nothing {}).await;
    assert_eq!(refusal(refused)?, ErrorCode::InstallationRevoked);
    is_in(&story.alice.client, State::Revoked).await?;
    assert_eq!(story.relay.posted_rotations(), 2);
    Ok(())
}

/// A 401 alone, another's signature, another bundle, a key that is in force: none of them ends anything.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_relay_s_signed_word_about_the_very_bundle_ends_the_installation() -> Result<()> {
    let story = Story::new().await?;
    let relay = &story.relay;
    let revoked = relay.statement(wire::KeyState::KeyRevoked)?;
    let other_bundle = wire::ContactUpdateStatement {
        bundle_digest: vec![9; 32],
        ..revoked.clone()
    };
    let other_user = wire::ContactUpdateStatement {
        user_id: "bob".to_owned(),
        ..revoked.clone()
    };
    let active = relay.statement(wire::KeyState::KeyActive)?;
    let operator = operations_key();
    let stranger = SignSecretKey::from_seed(&[66; 32]);
    for harmless in [
        Reply::status(401, "", b""),
        dismissal(&revoked, &stranger),
        dismissal(&other_bundle, &operator),
        dismissal(&other_user, &operator),
        dismissal(&active, &operator),
    ] {
        relay.replies(harmless);
        let honest = story.honest("it goes on");
        let id = hex::encode(&honest.message_id);
        relay.replies(Reply::Page(vec![honest]));
        story.alice.receives(&id).await?;
        assert_eq!(story.alice.client.hello().await?.state, State::Unlocked);
    }
    relay.replies(dismissal(&revoked, &operator));
    is_in(&story.alice.client, State::Revoked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_update_about_the_own_key_ends_the_installation_too() -> Result<()> {
    let story = Story::new().await?;
    let statement = story.relay.statement(wire::KeyState::KeyCompromised)?;
    let statement = connect_proto::codec::encode(&statement);
    let signature = operations_key().sign(connect_proto::sign::Purpose::ContactUpdate, &statement);
    story.relay.replies(Reply::Page(vec![wire::Envelope {
        message_id: vec![3; 16],
        contact_update: Some(wire::ContactUpdate {
            statement,
            signature: signature.to_vec(),
        }),
        ..Default::default()
    }]));
    is_in(&story.alice.client, State::Revoked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_gone_at_the_relay_and_sealed_or_erased_here() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    assert_eq!(
        deletes(&alice, "00000", true).await,
        Err(ErrorCode::WrongPin)
    );
    assert_eq!(alice.client.hello().await?.state, State::Unlocked);
    assert_eq!(deletes(&alice, PIN, false).await, Ok(State::Revoked));
    ensure!(alice.state_dir.join("account/messages.db").is_file());
    let user_id = "alice".to_owned();
    let gone = bob.client.call::<Add>(UserParams { user_id }).await;
    if let Ok(contact) = gone {
        assert_eq!(contact.trust, connect_api::contacts::Trust::Revoked);
    }
    assert_eq!(
        deletes(&alice, PIN, false).await,
        Err(ErrorCode::InstallationRevoked)
    );
    alice.stop().await;
    alice.start().await?;
    assert_eq!(
        deletes(&alice, "00000", true).await,
        Err(ErrorCode::WrongPin)
    );
    assert_eq!(deletes(&alice, PIN, true).await, Ok(State::Unenrolled));
    for gone in ["account", "account.erasing"] {
        ensure!(!alice.state_dir.join(gone).exists(), "{gone}");
    }
    assert_eq!(
        deletes(&alice, PIN, true).await,
        Err(ErrorCode::NotEnrolled)
    );
    // The directory has nobody that could be replaced.
    let enrollment = world.enrollment("alice").await?;
    alice.client.call::<Enroll>(enrollment).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_the_relay_does_not_hear_of_changes_nothing() -> Result<()> {
    let mut world = World::new().await?;
    let alice = world.person("alice").await?;
    world.stop_relay().await;
    assert_eq!(
        deletes(&alice, PIN, true).await,
        Err(ErrorCode::RelayUnreachable)
    );
    assert_eq!(alice.client.hello().await?.state, State::Unlocked);
    world.start_relay().await?;
    assert_eq!(deletes(&alice, PIN, true).await, Ok(State::Unenrolled));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_erasure_left_behind_goes_at_the_next_start() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    alice.stop().await;
    let account = alice.state_dir.join("account");
    let erasing = alice.state_dir.join("account.erasing");
    std::fs::rename(&account, &erasing)?;
    alice.start().await?;
    assert_eq!(alice.client.hello().await?.state, State::Unenrolled);
    ensure!(!erasing.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_profile_is_told_and_has_to_be_attested_anew() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    let params = UpdateProfileParams {
        display_name: Some("Dr. Alice Roth".to_owned()),
        ..UpdateProfileParams::default()
    };
    let account = alice.client.call::<UpdateProfile>(params).await?;
    assert_eq!(account.display_name, "Dr. Alice Roth");
    assert_eq!(
        (account.profession.as_str(), account.attested),
        ("physician", false)
    );
    assert_eq!(bob.adds(&alice).await?.display_name, "Dr. Alice Roth");
    alice.restart().await?;
    assert_eq!(alice.client.call::<Get>(Nothing {}).await?, account);
    let params = UpdateProfileParams {
        organisation: Some("w".repeat(257)),
        ..UpdateProfileParams::default()
    };
    let refused = alice.client.call::<UpdateProfile>(params).await;
    assert_eq!(refusal(refused)?, ErrorCode::Invalid);
    Ok(())
}
