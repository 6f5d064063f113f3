//! What stories about a contact's keys have in common: Alice, and Mallory, who is called Bob in them.

use anyhow::{Result, ensure};
use connect_api::contacts::{Contact, Get as GetContact, Trust, UserParams};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::messages::{Get, MessageParams, MessageState, StateReason};
use connect_api::trust::{Compare, CompareParams, Decide, DecideParams, Decision};
use connect_client::error::CallError;
use connect_proto::wire;
use serde_json::json;

use crate::fake_relay::Reply;
use crate::mallory::update;
use crate::mischief::Story;
use crate::raw::Raw;

/// Alice knows Mallory.
pub async fn story() -> Result<Story> {
    let story = Story::new().await?;
    let mut raw = Raw::connect(story.alice.endpoint.path()).await?;
    let added = raw.outcome("contacts.add", json!({"user_id": "mallory"}));
    ensure!(added.await? == "ok");
    Ok(story)
}

/// As above, and they have compared their digits.
pub async fn verified() -> Result<Story> {
    let story = story().await?;
    ensure!(compare(&story, &story.mallory.digits(&story.to)).await?);
    assert_eq!(contact(&story).await?.trust, Trust::Verified);
    Ok(story)
}

pub async fn contact(story: &Story) -> Result<Contact> {
    let user_id = "mallory".to_owned();
    let params = UserParams { user_id };
    Ok(story.alice.client.call::<GetContact>(params).await?)
}

pub async fn compare(story: &Story, digits: &str) -> Result<bool> {
    let params = CompareParams {
        user_id: "mallory".to_owned(),
        digits: Some(digits.to_owned()),
        qr: None,
    };
    Ok(story.alice.client.call::<Compare>(params).await?.verified)
}

pub async fn decide(
    story: &Story,
    decision: Decision,
    key: Option<String>,
) -> Result<Contact, CallError> {
    let params = DecideParams {
        user_id: "mallory".to_owned(),
        decision,
        key,
    };
    story.alice.client.call::<Decide>(params).await
}

pub async fn writes(story: &Story, text: &str) -> Result<String> {
    let to = Conversation::User("mallory".to_owned());
    let sent = story.alice.client.send_text(to, text, None).await?;
    Ok(sent.message_id)
}

/// How a message stands, and why.
pub async fn standing(story: &Story, id: &str) -> Result<(MessageState, Option<StateReason>)> {
    let message_id = id.to_owned();
    let params = MessageParams { message_id };
    let message = story.alice.client.call::<Get>(params).await?;
    Ok((message.state, message.recipients[0].reason))
}

/// The relay says it, and Alice has heard of it.
pub async fn changes(story: &Story, entry: &wire::DirectoryEntry) -> Result<EventBody> {
    story.relay.publishes(entry.clone());
    story.relay.replies(Reply::Page(vec![update(entry)?]));
    let changed = |body: &EventBody| matches!(body, EventBody::KeyChanged { key_revision, .. } if *key_revision == Some(entry.revision));
    Ok(story.alice.sees(changed).await?.body)
}
