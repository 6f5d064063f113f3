//! How far a message has come, and what its author says of it later (§8.2, D12).

use anyhow::Result;
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::messages::{
    Delete, Edit, EditParams, Get, ListVersions, MarkRead, MarkReadParams, Message, MessageParams,
    MessageState, TellTyping, TypingParams,
};
use connect_api::policy;
use connect_tests::world::{Person, World, refusal};

async fn get(person: &Person, message_id: &str) -> Result<Message> {
    let message_id = message_id.to_owned();
    Ok(person
        .client
        .call::<Get>(MessageParams { message_id })
        .await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_delivered_and_read() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let first = alice.writes(&bob, "one").await?;
    let second = alice.writes(&bob, "two").await?;
    alice.sees_state(&second, MessageState::Delivered).await?;
    let params = MarkReadParams {
        conversation: alice.conversation(),
        up_to: second.clone(),
    };
    bob.client.call::<MarkRead>(params).await?;
    for id in [&first, &second] {
        alice.sees_state(id, MessageState::Read).await?;
        let mut told = Vec::new();
        let mut events = alice.events();
        while told.last() != Some(&MessageState::Read) {
            let Some(event) = events.next().await else {
                break;
            };
            if let EventBody::MessageState {
                message_id, state, ..
            } = event?.body
                && message_id == *id
            {
                told.push(state);
            }
        }
        // A receipt may overtake the relay's own answer; nothing goes back.
        let rank = |state: &MessageState| *state as u8;
        assert!(told.is_sorted_by_key(rank), "{told:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_edits_and_deletes_and_nothing_is_forgotten() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let id = alice.writes(&bob, "10 mg").await?;
    bob.receives(&id).await?;
    for text in ["1 mg", "1.0 mg"] {
        let params = EditParams {
            message_id: id.clone(),
            text: text.to_owned(),
        };
        assert_eq!(alice.client.call::<Edit>(params).await?.text, text);
    }
    let named = MessageParams {
        message_id: id.clone(),
    };
    alice.client.call::<Delete>(named.clone()).await?;
    bob.sees(
        |body| matches!(body, EventBody::MessageDeleted { message_id, .. } if *message_id == id),
    )
    .await?;
    for person in [&alice, &bob] {
        let message = get(person, &id).await?;
        assert!(message.text.is_empty() && message.deleted_ms.is_some());
        let versions = person.client.call::<ListVersions>(named.clone()).await?;
        let texts: Vec<_> = versions
            .items
            .iter()
            .map(|version| version.text.as_str())
            .collect();
        assert_eq!(texts, ["10 mg", "1 mg", "1.0 mg"]);
    }
    // What is deleted, or somebody else's, is not there to be changed.
    let again = EditParams {
        message_id: id.clone(),
        text: "more".to_owned(),
    };
    assert_eq!(
        refusal(alice.client.call::<Edit>(again.clone()).await)?,
        ErrorCode::NotFound
    );
    assert_eq!(
        refusal(bob.client.call::<Edit>(again).await)?,
        ErrorCode::NotFound
    );
    assert_eq!(
        refusal(bob.client.call::<Delete>(named).await)?,
        ErrorCode::NotFound
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_that_somebody_types_unless_the_policy_says_so() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let params = TypingParams {
        conversation: bob.conversation(),
        active: true,
    };
    let told = alice.client.call::<TellTyping>(params.clone()).await?;
    assert!(!told.told);
    let policy = policy::SetParams {
        typing: Some(true),
        ..Default::default()
    };
    alice.client.call::<policy::Set>(policy).await?;
    assert!(alice.client.call::<TellTyping>(params).await?.told);
    bob.sees(|body| matches!(body, EventBody::Typing { user_id, active: true, .. } if user_id == "alice"))
        .await?;
    // It left no trace in the order: what is written next is not missing anything.
    let id = alice.writes(&bob, "written").await?;
    bob.receives(&id).await?;
    assert_eq!(bob.client.health().await?.inbox.missing, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_no_read_receipts_sent_sends_none() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let policy = policy::SetParams {
        read_receipts: Some(false),
        ..Default::default()
    };
    bob.client.call::<policy::Set>(policy).await?;
    let id = alice.writes(&bob, "read, and not told").await?;
    bob.receives(&id).await?;
    let params = MarkReadParams {
        conversation: alice.conversation(),
        up_to: id.clone(),
    };
    bob.client.call::<MarkRead>(params).await?;
    // What Bob says next comes after what he would have told.
    let answer = bob.writes(&alice, "answer").await?;
    alice.receives(&answer).await?;
    assert_eq!(get(&alice, &id).await?.state, MessageState::Delivered);
    Ok(())
}
