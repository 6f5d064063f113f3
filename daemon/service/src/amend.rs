//! Edits and deletions, ours and others': by the author alone, the earlier texts kept (D12).

use std::sync::Arc;

use connect_core::message::{MessageRef, Payload, Text};
use connect_proto::ids::{MessageId, UserId};
use connect_store::amendments::{self, Amended, Amendment, Version};
use connect_store::attachments::{self, Stored};
use connect_store::cases::{Case, entries};
use connect_store::codes::{
    AttachmentReason, AttachmentState, EventKind, RecipientState, StateReason,
};
use connect_store::conversations::{Conversation, ConversationRow};
use connect_store::events::NewEvent;
use connect_store::messages::{self, Message};
use connect_store::recipients::{self, Sent};
use connect_store::{outbox, received};

use crate::attachments::sending;
use crate::audience::{self, Audience, check_open};
use crate::casework::write::{self, Reader};
use crate::controls::{self, Order};
use crate::error::{Error, Reason};
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
    let mut journal = Journal::begin(unlocked).await?;
    let heard = Heard::of(&mut journal, &message.conversation).await?;
    if let (true, Heard::By(audience), Conversation::User(_)) =
        (text.is_some(), &heard, &message.conversation)
    {
        audience.contacts.iter().try_for_each(check_open)?;
    }
    let sent = recipients::find_sent_row(journal.tx(), message.row)
        .await?
        .ok_or(Error::NotFound)?;
    if text.is_some() && find_uploading(&mut journal, &sent).await?.is_some() {
        // It would go out by itself where the message is taken back before its file is there.
        return Err(Error::invalid("message_id", Reason::Uploading));
    }
    if text.is_none() && withdraw(&mut journal, &sent).await? {
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
    let sequence = match heard {
        Heard::By(audience) => {
            controls::queue(&mut journal, &audience, Order::Numbered, &payload).await?
        }
        Heard::InCase(case, readers) => {
            write::queue(&mut journal, &case, &payload, &readers).await?
        }
    };
    show(&mut journal, &message, sent.conversation, sequence, text).await?;
    Ok(journal.commit().await?)
}

/// Where it is said.
enum Heard {
    By(Audience),
    InCase(Box<Case>, Vec<Reader>),
}

impl Heard {
    async fn of(journal: &mut Journal, conversation: &Conversation) -> Result<Self, Error> {
        let Conversation::Case(case_id) = conversation else {
            return Ok(Self::By(audience::everyone(journal, conversation).await?));
        };
        let (case, control) = write::find_open(journal, *case_id).await?;
        let readers = write::readers(journal, &[&control]).await?;
        Ok(Self::InCase(Box::new(case), readers))
    }
}

/// Returns whether nobody can have it.
async fn withdraw(journal: &mut Journal, sent: &Sent) -> Result<bool, Error> {
    if stop_upload(journal, sent).await? {
        return Ok(true);
    }
    let rows = outbox::withdraw(journal.tx(), sent.row).await?;
    if rows == 0 {
        return Ok(false);
    }
    journal.afterwards(move |unlocked| {
        for _ in 0..rows {
            unlocked.counters.remove_queued(true);
        }
    });
    // Nor is anybody to read it who joins a case later.
    let me = journal.unlocked().user_id().clone();
    let (of, id) = (sent.conversation, sent.message_id);
    entries::remove(journal.tx(), of, &me, id).await?;
    let reason = Some(StateReason::Withdrawn);
    for recipient in recipients::list(journal.tx(), sent.row).await? {
        let (user_id, state) = (&recipient.user_id, RecipientState::Failed);
        journal.move_recipient(sent, user_id, state, reason).await?;
    }
    Ok(true)
}

/// As long as its attachment is on its way to the relay, nothing of a message went out: both are given up.
async fn stop_upload(journal: &mut Journal, sent: &Sent) -> Result<bool, Error> {
    let Some(stored) = find_uploading(journal, sent).await? else {
        return Ok(false);
    };
    let reason = AttachmentReason::Withdrawn;
    let after = (AttachmentState::Cancelled, Some(reason));
    sending::give_up(journal, &stored, after).await
}

/// Its attachment, as long as that is on its way to the relay.
async fn find_uploading(journal: &mut Journal, sent: &Sent) -> Result<Option<Stored>, Error> {
    let attached = attachments::find_of(journal.tx(), sent.row).await?;
    Ok(attached.filter(|it| it.outgoing && it.state == AttachmentState::Uploading))
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
            let early = (amendment, journal.now_ms());
            amendments::keep_early(journal.tx(), conversation, author, target, early).await?;
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
        Amended::Deleted => {
            // Its attachment goes with it.
            journal.afterwards(|unlocked| unlocked.transfers.wake());
            EventKind::MessageDeleted
        }
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
