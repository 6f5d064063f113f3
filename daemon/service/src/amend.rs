//! Edits and deletions, ours and others': by the author alone, the earlier texts kept (D12).

use std::sync::Arc;

use connect_core::message::{MessageRef, Payload, Text};
use connect_proto::ids::{MessageId, UserId};
use connect_store::amendments::{self, Amended, Amendment, Version};
use connect_store::codes::{EventKind, RecipientState, StateReason};
use connect_store::conversations::{Conversation, ConversationRow};
use connect_store::events::NewEvent;
use connect_store::messages::{self, Message};
use connect_store::{contacts, outbox, received, recipients};

use crate::controls;
use crate::error::Error;
use crate::journal::Journal;
use crate::send::check_text;
use crate::unlocked::Unlocked;

/// Gives a message of ours another text, here and at its recipient.
pub async fn edit(
    unlocked: &Arc<Unlocked>,
    message_id: MessageId,
    text: &str,
) -> Result<(), Error> {
    check_text(text)?;
    amend(unlocked, message_id, Some(text)).await
}

/// Takes a message of ours back, here and at its recipient. One that still waits for a decision does not go out at all.
pub async fn delete(unlocked: &Arc<Unlocked>, message_id: MessageId) -> Result<(), Error> {
    amend(unlocked, message_id, None).await
}

async fn amend(
    unlocked: &Arc<Unlocked>,
    message_id: MessageId,
    text: Option<&str>,
) -> Result<(), Error> {
    let message = find_own(unlocked, message_id).await?;
    let Conversation::User(recipient) = &message.conversation else {
        return Err(Error::NotFound);
    };
    let mut journal = Journal::begin(unlocked).await?;
    let contact = contacts::find_in(journal.tx(), recipient)
        .await?
        .ok_or(Error::UnknownContact)?;
    let sent = recipients::find_sent_row(journal.tx(), message.row)
        .await?
        .ok_or(Error::NotFound)?;
    if text.is_none() && outbox::withdraw(journal.tx(), message.row).await? {
        journal.afterwards(|unlocked| unlocked.counters.remove_queued(true));
        let (state, reason) = (RecipientState::Failed, StateReason::Withdrawn);
        journal
            .move_recipient(&sent, recipient, state, Some(reason))
            .await?;
        let sequence = sent.sequence;
        show(&mut journal, &message, sent.conversation, sequence, None).await?;
        return Ok(journal.commit().await?);
    }
    let target = MessageRef {
        sender: unlocked.user_id().clone(),
        message_id,
        timestamp_ms: message.timestamp_ms,
    };
    let payload = match text {
        Some(text) => Payload::Edit {
            target,
            text: Text {
                body: text.to_owned(),
                reply_to: None,
            },
        },
        None => Payload::Delete { target },
    };
    let sequence = controls::queue(&mut journal, &contact, &payload).await?;
    show(&mut journal, &message, sent.conversation, sequence, text).await?;
    Ok(journal.commit().await?)
}

/// What is not ours, not there or deleted is not found.
async fn find_own(unlocked: &Unlocked, message_id: MessageId) -> Result<Message, Error> {
    messages::find(&unlocked.store, message_id)
        .await?
        .filter(|message| message.outgoing && message.deleted_ms.is_none())
        .ok_or(Error::NotFound)
}

async fn show(
    journal: &mut Journal,
    message: &Message,
    conversation: ConversationRow,
    sequence: u64,
    text: Option<&str>,
) -> Result<(), Error> {
    let amendment = Amendment {
        sequence,
        timestamp_ms: journal.now_ms(),
        text,
    };
    let amended = amendments::apply(journal.tx(), message.row, amendment).await?;
    tell(
        journal,
        amended,
        conversation,
        &message.sender,
        message.message_id,
    )
    .await
}

/// Takes in what another author says of a message of its own; one that has not come yet finds it waiting.
pub(crate) async fn apply(
    journal: &mut Journal,
    author: &UserId,
    conversation: ConversationRow,
    target: MessageId,
    amendment: Amendment<'_>,
) -> Result<(), Error> {
    let found = received::find_in(journal.tx(), author, target).await?;
    match found {
        None => {
            amendments::keep_early(journal.tx(), conversation, author, target, amendment).await?;
            Ok(())
        }
        Some((message, in_conversation)) if in_conversation == conversation => {
            let amended = amendments::apply(journal.tx(), message, amendment).await?;
            tell(journal, amended, conversation, author, target).await
        }
        Some(_) => Ok(()),
    }
}

async fn tell(
    journal: &mut Journal,
    amended: Amended,
    conversation: ConversationRow,
    author: &UserId,
    message_id: MessageId,
) -> Result<(), Error> {
    let kind = match amended {
        Amended::Edited => EventKind::MessageEdited,
        Amended::Deleted => EventKind::MessageDeleted,
        Amended::Outdated => return Ok(()),
    };
    let event = NewEvent {
        conversation: Some(conversation),
        user_id: Some(author.as_str()),
        message_id: Some(message_id),
        ..NewEvent::of(kind, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// Every text that a message had before, the first one first.
pub async fn versions(unlocked: &Unlocked, message_id: MessageId) -> Result<Vec<Version>, Error> {
    let message = messages::find(&unlocked.store, message_id)
        .await?
        .ok_or(Error::NotFound)?;
    Ok(amendments::list_versions(&unlocked.store, message.row).await?)
}
