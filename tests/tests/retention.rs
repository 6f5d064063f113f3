//! What is old goes where the policy says so, and a clock that is wrong takes nothing with it.

use anyhow::{Context as _, Result, bail};
use connect_api::conversations;
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::messages::MessageState;
use connect_api::page::{ListParams, Nothing};
use connect_api::policy::{Get, Policy, Set, SetParams};
use connect_api::search::{Search, SearchParams};
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{Person, World, refusal};
use serde_json::json;

const DAY_MS: u64 = 24 * 3600 * 1000;

const fn keep(days: u32) -> SetParams {
    SetParams {
        retention_days: Some(Some(days)),
        typing: None,
        read_receipts: None,
        download_up_to_bytes: None,
        attachments_quota_bytes: None,
    }
}

/// Once this returns, both have heard from the relay since the clocks were moved: the second answer was asked for then.
async fn exchange(from: &Person, to: &Person, text: &str) -> Result<()> {
    for n in 1..=2 {
        let id = from.writes(to, &format!("{text} {n}")).await?;
        to.receives(&id).await?;
        from.sees_state(&id, MessageState::Sent).await?;
        let id = to.writes(from, &format!("{text} {n}, heard")).await?;
        from.receives(&id).await?;
        to.sees_state(&id, MessageState::Sent).await?;
    }
    Ok(())
}

async fn texts(person: &Person, with: &Person) -> Result<Vec<String>> {
    let messages = person.reads(with).await?;
    Ok(messages.into_iter().map(|message| message.text).collect())
}

async fn hits(person: &Person, query: &str) -> Result<usize> {
    let params = SearchParams {
        query: query.to_owned(),
        conversation: None,
        after: None,
        limit: None,
    };
    Ok(person.client.call::<Search>(params).await?.items.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_changed_in_part_and_survives_a_restart() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let first = alice.client.call::<Get>(Nothing {}).await?;
    let default = Policy {
        retention_days: None,
        typing: false,
        read_receipts: true,
        download_up_to_bytes: Some(16 << 20),
        attachments_quota_bytes: 10 << 30,
    };
    assert_eq!(first, default);
    alice.client.call::<Set>(keep(30)).await?;
    let typing = SetParams {
        typing: Some(true),
        ..SetParams::default()
    };
    let expected = Policy {
        retention_days: Some(30),
        typing: true,
        ..default
    };
    assert_eq!(alice.client.call::<Set>(typing).await?, expected);
    alice.restart().await?;
    assert_eq!(alice.client.call::<Get>(Nothing {}).await?, expected);
    for days in [0, 36_501] {
        let refused = refusal(alice.client.call::<Set>(keep(days)).await)?;
        assert_eq!(refused, ErrorCode::Invalid);
    }
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let unknown = raw.call("policy.set", json!({"receipts": true})).await?;
    assert_eq!(outcome(&unknown), "invalid_params");
    let forever = raw
        .call("policy.set", json!({"retention_days": null}))
        .await?;
    assert_eq!(forever["result"]["retention_days"], json!(null));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_older_than_the_policy_go_with_their_words() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    exchange(&alice, &bob, "old").await?;
    world.advance(10 * DAY_MS);
    exchange(&alice, &bob, "new").await?;
    bob.client.call::<Set>(keep(7)).await?;
    bob.tidies_up().await?;
    let expected = ["new 1", "new 1, heard", "new 2", "new 2, heard"];
    assert_eq!(texts(&bob, &alice).await?, expected);
    assert_eq!((hits(&bob, "old").await?, hits(&bob, "new").await?), (0, 4));
    let params = ListParams::default();
    let listed = bob.client.call::<conversations::List>(params).await?;
    let listed = listed.items.first().context("a conversation")?;
    assert_eq!(listed.unread, 2);
    // Alice has settled nothing of the kind.
    alice.tidies_up().await?;
    assert_eq!(texts(&alice, &bob).await?.len(), 8);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_takes_neither_events_nor_messages() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    exchange(&alice, &bob, "kept").await?;
    bob.client.call::<Set>(keep(7)).await?;
    // The relay's answers so far tell nothing of the clock as it is now.
    bob.clock_jumps(31 * DAY_MS);
    bob.tidies_up().await?;
    let before = bob.client.health().await?.events.last_event_id;
    assert_eq!(texts(&bob, &alice).await?.len(), 4);

    // From now on the relay refuses the clock, and is not believed to be there.
    bob.restart().await?;
    bob.tidies_up().await?;
    assert_eq!(texts(&bob, &alice).await?.len(), 4);
    let mut events = bob.events();
    for expected in 1..=before {
        let event = events.next().await.context("an event")??;
        assert_eq!(event.event_id, expected, "the log is whole");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_after_thirty_days_of_the_relay() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    exchange(&alice, &bob, "old").await?;
    let before = bob.client.health().await?.events.last_event_id;
    world.advance(31 * DAY_MS);
    exchange(&alice, &bob, "new").await?;
    bob.tidies_up().await?;
    let first = bob.events().next().await.context("an event")??;
    let EventBody::EventsExpired { from: 1, to } = first.body else {
        bail!("{first:?}");
    };
    // A receipt of that day may have come after it was looked at.
    assert!(to >= before);
    assert_eq!(first.event_id, to);
    Ok(())
}
