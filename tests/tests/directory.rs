//! A directory that says what cannot be true, and what the relay signs for (§5.3, D10).

use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::contacts::{Add, Contradiction, KeyState, Trust, UserParams};
use connect_api::events::EventBody;
use connect_api::messages::{MessageState, StateReason};
use connect_proto::wire;
use connect_tests::fake_relay::Reply;
use connect_tests::keys::{changes, contact, standing, story, verified, writes};
use connect_tests::mallory::{Mallory, statement, update};
use connect_tests::raw::Raw;
use serde_json::json;
use tokio::time::timeout;

use wire::KeyState as Published;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// For how long a question that must not be asked is waited for.
const OVERTAKING: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_goes_back_or_forks_is_refused_and_told_once() -> Result<()> {
    let story = story().await?;
    let renewed = story.mallory.with_new_keys();
    let now_ms = story.world.now_ms();
    let entry = renewed.entry_after(&story.mallory, Published::KeyReplaced, now_ms);
    changes(&story, &entry).await?;
    let key = contact(&story).await?.key;
    let back = story.mallory.entry(Published::KeyActive, now_ms);
    let fork = Mallory::new("forked".parse()?).named("mallory")?;
    let fork = fork.entry_after(&story.mallory, Published::KeyReplaced, now_ms);
    story.relay.publishes(back);
    let mut raw = Raw::connect(story.alice.endpoint.path()).await?;
    for entry in [None, Some(fork)] {
        if let Some(entry) = entry {
            story.relay.publishes(entry);
        }
        raw.call("contacts.add", json!({"user_id": "mallory"}))
            .await?;
        let shown = contact(&story).await?;
        assert_eq!(shown.key, key);
        let contradiction = shown.contradiction.context("noticed")?;
        assert_eq!(contradiction.how, Contradiction::RolledBack);
        assert_eq!(story.alice.client.health().await?.trust.contradicted, 1);
    }
    story.relay.publishes(entry);
    raw.call("contacts.add", json!({"user_id": "mallory"}))
        .await?;
    assert_eq!(contact(&story).await?.contradiction, None);
    assert_eq!(story.alice.client.health().await?.trust.contradicted, 0);
    let log = raw.call("events.list", json!({"limit": 500})).await?;
    let events = log["result"]["items"].as_array().context("events")?;
    let told = events
        .iter()
        .filter(|event| event["type"] == "directory_contradiction");
    assert_eq!(told.count(), 1);
    Ok(())
}

/// The statement counts although the directory does not answer, and although it says otherwise once it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_update_suspends_a_key_whatever_the_directory_says() -> Result<()> {
    let story = story().await?;
    let entry = story.mallory.entry(Published::KeyActive, 0);
    story.relay.fails_lookups(1);
    let now_ms = story.world.now_ms();
    let compromised = statement(&entry, 5, Published::KeyCompromised, now_ms)?;
    story.relay.replies(Reply::Page(vec![compromised.clone()]));
    let revoked = |body: &EventBody| matches!(body, EventBody::KeyRevoked { state, .. } if *state == KeyState::Compromised);
    story.alice.sees(revoked).await?;
    let held = writes(&story, "held").await?;
    let why = (MessageState::Held, Some(StateReason::KeyRevoked));
    assert_eq!(standing(&story, &held).await?, why);
    // It comes again, as it was not acknowledged; and then one from before, which would make it better.
    let older = statement(&entry, 4, Published::KeyActive, now_ms)?;
    story.relay.replies(Reply::Page(vec![compromised, older]));
    let contradicted = |body: &EventBody| matches!(body, EventBody::DirectoryContradiction { how, .. } if *how == Contradiction::RolledBack);
    story.alice.sees(contradicted).await?;
    let shown = contact(&story).await?;
    assert_eq!((shown.trust, shown.key), (Trust::Revoked, None));
    assert_eq!(standing(&story, &held).await?, why);
    assert_eq!(story.alice.client.health().await?.inbox.quarantined, 0);
    Ok(())
}

/// The relay has signed for a key that its directory does not show.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_without_a_key_that_was_signed_for_is_noticed() -> Result<()> {
    let story = story().await?;
    let renewed = story.mallory.with_new_keys();
    let newer = renewed.entry_after(&story.mallory, Published::KeyReplaced, 1);
    story.relay.replies(Reply::Page(vec![statement(
        &newer,
        1,
        Published::KeyActive,
        1,
    )?]));
    let contradicted = |body: &EventBody| matches!(body, EventBody::DirectoryContradiction { how, .. } if *how == Contradiction::RolledBack);
    story.alice.sees(contradicted).await?;
    assert_eq!(contact(&story).await?.keys.len(), 1);
    story.relay.publishes(newer);
    let mut raw = Raw::connect(story.alice.endpoint.path()).await?;
    raw.call("contacts.add", json!({"user_id": "mallory"}))
        .await?;
    let shown = contact(&story).await?;
    assert_eq!((shown.keys.len(), shown.contradiction), (2, None));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_by_the_old_key_that_does_not_verify_refuses_the_new_one() -> Result<()> {
    let story = verified().await?;
    let renewed = story.mallory.with_new_keys();
    let mut entry = renewed.entry_signed_by(&story.mallory, 1)?;
    let newest = entry.keys[0].bundle.as_mut().context("a bundle")?;
    newest.previous_signature[5] ^= 1;
    story.relay.publishes(entry.clone());
    story.relay.replies(Reply::Page(vec![update(&entry)?]));
    let contradicted = |body: &EventBody| matches!(body, EventBody::DirectoryContradiction { how, .. } if *how == Contradiction::BadBundle);
    story.alice.sees(contradicted).await?;
    let shown = contact(&story).await?;
    assert_eq!((shown.trust, shown.keys.len()), (Trust::Verified, 1));
    Ok(())
}

/// One is asked before the key changes and is answered after the other: an honest relay contradicts nothing.
#[tokio::test(flavor = "multi_thread")]
async fn two_questions_at_once_do_not_make_the_directory_go_back() -> Result<()> {
    let story = story().await?;
    let adds = || {
        let client = story.alice.client.clone();
        let user_id = "mallory".to_owned();
        tokio::spawn(async move { client.call::<Add>(UserParams { user_id }).await })
    };
    let before = story.relay.lookups_so_far();
    story.relay.holds_a_lookup();
    let first = adds();
    story.relay.lookups(before + 1).await;
    let renewed = story.mallory.with_new_keys();
    let entry = renewed.entry_after(&story.mallory, Published::KeyReplaced, 1);
    story.relay.publishes(entry);
    let second = adds();
    // Where the second one is asked at all meanwhile, it is also answered and stored first.
    let overtakes = timeout(OVERTAKING, story.relay.lookups(before + 2)).await;
    if overtakes.is_ok() {
        timeout(
            OVERTAKING,
            story
                .alice
                .sees(|body| matches!(body, EventBody::KeyChanged { .. })),
        )
        .await
        .ok();
    }
    story.relay.lets_go();
    first.await??;
    second.await??;
    let shown = contact(&story).await?;
    assert_eq!((shown.keys.len(), shown.contradiction), (2, None));
    Ok(())
}

/// What no update tells of is noticed within a day, by one question for 200 contacts; and a round that is cut off goes on
/// where it was.
#[tokio::test(flavor = "multi_thread")]
async fn the_directory_is_asked_about_all_contacts_once_a_day() -> Result<()> {
    let mut story = story().await?;
    for number in 0..400 {
        let colleague = Mallory::new(format!("colleague{number:03}").parse()?);
        story
            .relay
            .publishes(colleague.entry(Published::KeyActive, 0));
        let user_id = colleague.user_id.to_string();
        story
            .alice
            .client
            .call::<Add>(UserParams { user_id })
            .await?;
    }
    let renewed = story.mallory.with_new_keys();
    let entry = renewed.entry_after(&story.mallory, Published::KeyReplaced, 1);
    story.relay.publishes(entry);
    story.alice.restart().await?;
    story.relay.replies(Reply::Page(Vec::new()));
    let before = story.relay.lookups_so_far();

    story.world.advance(DAY_MS);
    story.relay.fails_lookups(1);
    story.alice.restart().await?;
    story.relay.replies(Reply::Page(Vec::new()));
    story.relay.lookups(before + 1).await;
    // The next session goes on with it.
    story.alice.restart().await?;
    story.relay.replies(Reply::Page(Vec::new()));
    story
        .alice
        .sees(|body| matches!(body, EventBody::KeyChanged { .. }))
        .await?;
    let asked = story.relay.lookups(before + 4).await;
    assert_eq!(asked[before..], [200, 200, 200, 1]);

    // Nothing is due, and what has not changed is told of no second time.
    story.alice.restart().await?;
    story.relay.replies(Reply::Page(Vec::new()));
    let honest = renewed.sealed(
        &story.to,
        &renewed.text(&story.to, "later", story.world.now_ms()),
    );
    let id = hex::encode(&honest.message_id);
    story.relay.replies(Reply::Page(vec![honest]));
    story.alice.receives(&id).await?;
    assert_eq!(story.relay.lookups_so_far(), before + 4);
    Ok(())
}
