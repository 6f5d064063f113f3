//! What goes out, and what a relay that cannot cope does to it (D20).

use anyhow::{Context as _, Result};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::messages::{Delete, Get, Message, MessageParams, MessageState, StateReason};
use connect_proto::wire;
use connect_tests::fake_relay::Reply;
use connect_tests::mallory::{Mallory, update};
use connect_tests::mischief::Story;
use tokio::time::timeout;
use wire::KeyState;
use wire::inner::Payload;

/// With what should come.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

async fn writes(story: &Story, to: &str, text: &str) -> Result<String> {
    let to = Conversation::User(to.to_owned());
    Ok(story
        .alice
        .client
        .send_text(to, text, None)
        .await?
        .message_id)
}

async fn adds(story: &Story, user_id: &str) -> Result<()> {
    let user_id = user_id.to_owned();
    let params = connect_api::contacts::UserParams { user_id };
    story
        .alice
        .client
        .call::<connect_api::contacts::Add>(params)
        .await?;
    Ok(())
}

async fn get(story: &Story, message_id: &str) -> Result<Message> {
    let message_id = message_id.to_owned();
    Ok(story
        .alice
        .client
        .call::<Get>(MessageParams { message_id })
        .await?)
}

fn text_in(inner: wire::Inner) -> Option<String> {
    match inner.payload? {
        Payload::Text(text) => Some(text.body),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_relay_cannot_cope_with_holds_up_nobody_elses() -> Result<()> {
    let story = Story::new().await?;
    let carol = Mallory::new("carol".parse()?);
    story.relay.publishes(carol.entry(KeyState::KeyActive, 0));
    adds(&story, "mallory").await?;
    adds(&story, "carol").await?;
    story.relay.replies_to_a_send(Reply::status(500, "", b""));
    let stuck = writes(&story, "mallory", "stuck").await?;
    story.relay.sends(1).await;
    let other = writes(&story, "carol", "other").await?;
    story.alice.sees_state(&other, MessageState::Sent).await?;
    assert_eq!(get(&story, &stuck).await?.state, MessageState::Queued);
    // It waits by the wall clock, and comes when its time has come.
    story.world.advance(10_000);
    writes(&story, "carol", "wakes the outbox").await?;
    story.alice.sees_state(&stuck, MessageState::Sent).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_the_relay_is_told_with_its_reason() -> Result<()> {
    let story = Story::new().await?;
    adds(&story, "mallory").await?;
    for (status, reason) in [
        (409, StateReason::IdConflict),
        (413, StateReason::TooLarge),
        (404, StateReason::UnknownRecipient),
        (400, StateReason::Refused),
    ] {
        story
            .relay
            .replies_to_a_send(Reply::status(status, "", b""));
        let id = writes(&story, "mallory", "refused").await?;
        story.alice.sees_state(&id, MessageState::Failed).await?;
        let told = get(&story, &id).await?.recipients[0].reason;
        assert_eq!(told, Some(reason), "{status}");
    }
    // A full mailbox is waited for: what it holds up goes out in order once there is room.
    story
        .relay
        .replies_to_a_send(Reply::status(507, "retry-after: 30\r\n", b""));
    let held = writes(&story, "mallory", "held").await?;
    let event = story.alice.sees_state(&held, MessageState::Held).await?;
    assert!(matches!(
        event.body,
        EventBody::MessageState {
            reason: Some(StateReason::MailboxFull),
            ..
        }
    ));
    let behind = writes(&story, "mallory", "behind").await?;
    assert_eq!(story.alice.client.health().await?.outbox.queued, 2);
    story.world.advance(31_000);
    let last = writes(&story, "mallory", "last").await?;
    for id in [held, behind, last] {
        story.alice.sees_state(&id, MessageState::Sent).await?;
    }
    assert_eq!(story.alice.client.health().await?.outbox.held, 0);
    Ok(())
}

/// The clock stood a year ahead when a message was put off, and was set right.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_holds_up_nothing() -> Result<()> {
    const YEAR_MS: u64 = 365 * 24 * 3_600_000;
    let mut story = Story::new().await?;
    adds(&story, "mallory").await?;
    story.world.advance(YEAR_MS);
    story.relay.replies_to_a_send(Reply::status(507, "", b""));
    let held = writes(&story, "mallory", "held").await?;
    story.alice.sees_state(&held, MessageState::Held).await?;
    story.world.set_back(YEAR_MS);
    story.alice.restart().await?;
    story.alice.sees_state(&held, MessageState::Sent).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_goes_out_under_the_key_that_its_recipient_has_by_then() -> Result<()> {
    let story = Story::new().await?;
    adds(&story, "mallory").await?;
    let renewed = story.mallory.with_new_keys();
    // The relay has the message, and its answer is lost: under the new keys it is other bytes to it, and no conflict.
    story
        .relay
        .replies_to_a_send(Reply::status(507, "retry-after: 300\r\n", b""));
    let first = writes(&story, "mallory", "sealed before").await?;
    story.alice.sees_state(&first, MessageState::Held).await?;
    let entry = renewed.entry_after(&story.mallory, KeyState::KeyReplaced, 1);
    story.relay.publishes(entry.clone());
    story.relay.replies_to_a_send(Reply::status(409, "", b""));
    story.relay.replies(Reply::Page(vec![update(&entry)?]));
    story.alice.sees_state(&first, MessageState::Sent).await?;
    let sent = story.relay.sends(2).await;
    assert!(story.mallory.opens(&story.to, &sent[0]).is_some());
    assert_eq!(sent[0].message_id, sent[1].message_id);
    let again = renewed
        .opens(&story.to, &sent[1])
        .context("for the new keys")?;
    assert_eq!(text_in(again).as_deref(), Some("sealed before"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_revoked_keys_waits_and_may_be_withdrawn() -> Result<()> {
    let story = Story::new().await?;
    adds(&story, "mallory").await?;
    let revoked = story.mallory.entry(KeyState::KeyCompromised, 1);
    story.relay.publishes(revoked.clone());
    story.relay.replies(Reply::Page(vec![update(&revoked)?]));
    story
        .alice
        .sees(|body| matches!(body, EventBody::KeyRevoked { state, .. } if *state == connect_api::contacts::KeyState::Compromised))
        .await?;
    let kept = writes(&story, "mallory", "kept").await?;
    let withdrawn = writes(&story, "mallory", "withdrawn").await?;
    for id in [&kept, &withdrawn] {
        let message = get(&story, id).await?;
        assert_eq!(message.state, MessageState::Held);
        assert_eq!(message.recipients[0].reason, Some(StateReason::KeyRevoked));
    }
    assert_eq!(story.alice.client.health().await?.outbox.held, 2);
    let message_id = withdrawn.clone();
    let deleted = story
        .alice
        .client
        .call::<Delete>(MessageParams { message_id })
        .await?;
    assert_eq!(deleted.recipients[0].reason, Some(StateReason::Withdrawn));
    assert!(deleted.deleted_ms.is_some() && deleted.text.is_empty());

    let renewed = story.mallory.with_new_keys();
    let entry = renewed.entry_after(&story.mallory, KeyState::KeyCompromised, 2);
    story.relay.publishes(entry.clone());
    story.relay.replies(Reply::Page(vec![update(&entry)?]));
    story.alice.sees_state(&kept, MessageState::Sent).await?;
    let sent = story.relay.sends(1).await;
    let inner = renewed
        .opens(&story.to, &sent[0])
        .context("for the new keys")?;
    assert_eq!(text_in(inner).as_deref(), Some("kept"));
    let health = story.alice.client.health().await?;
    assert_eq!((health.outbox.queued, health.outbox.held), (0, 0));

    // Its number is missed: whoever asks is told that it was taken back, and not what it said.
    let asked = wire::MessageRef {
        sender_id: "alice".to_owned(),
        message_id: hex::decode(&withdrawn)?,
        timestamp_ms: 1,
    };
    let mut request = renewed.text(&story.to, "", story.world.now_ms());
    request.payload = Some(Payload::ResendRequest(wire::ResendRequest {
        messages: vec![asked.clone(), asked.clone()],
    }));
    let envelope = renewed.sealed(&story.to, &request);
    story.relay.replies(Reply::Page(vec![envelope]));
    let answer = story.relay.sent_one(|envelope| {
        let is_it = envelope.message_id == asked.message_id;
        is_it.then(|| renewed.opens(&story.to, envelope)).flatten()
    });
    let answer = timeout(PATIENCE, answer).await?;
    let Some(Payload::Delete(delete)) = answer.payload else {
        anyhow::bail!("no deletion");
    };
    let target = delete.target.context("a target")?;
    assert_eq!(
        (target.sender_id, target.message_id),
        (asked.sender_id, asked.message_id)
    );
    Ok(())
}
