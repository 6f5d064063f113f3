//! Reading: conversations, pages, single messages, and what is unread.

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_core::message::{MessageRef, ReceiptKind};
use connect_proto::ids::{MessageId, UserId};
use connect_store::contacts;
use connect_store::conversations::{self, Conversation, Listed, NowRead};
use connect_store::messages::{self, From, Message};
use connect_store::place::MessageRow;

use crate::error::Error;
use crate::journal::Journal;
use crate::receipts;
use crate::unlocked::Unlocked;

/// Where a page begins, by a message of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Newest,
    OlderThan(MessageId),
    NewerThan(MessageId),
}

/// A page of a conversation, newest first; a conversation that nobody began is empty.
pub async fn list(
    unlocked: &Unlocked,
    conversation: &Conversation,
    place: Place,
    limit: u32,
) -> Result<Vec<Message>, Error> {
    let Some(row) = conversations::find(&unlocked.store, conversation).await? else {
        return Ok(Vec::new());
    };
    let of = async |id| {
        messages::find_place(&unlocked.store, row, id)
            .await?
            .ok_or(Error::NotFound)
    };
    let from = match place {
        Place::Newest => From::Newest,
        Place::OlderThan(id) => From::OlderThan(of(id).await?),
        Place::NewerThan(id) => From::NewerThan(of(id).await?),
    };
    Ok(messages::list(&unlocked.store, row, from, limit).await?)
}

pub async fn find(unlocked: &Unlocked, message_id: MessageId) -> Result<Message, Error> {
    messages::find(&unlocked.store, message_id)
        .await?
        .ok_or(Error::NotFound)
}

/// Returns how many messages of the conversation are left unread. Their authors are told what was read.
pub async fn mark_read(
    unlocked: &Arc<Unlocked>,
    conversation: &Conversation,
    up_to: MessageId,
) -> Result<u64, Error> {
    let row = conversations::find(&unlocked.store, conversation)
        .await?
        .ok_or(Error::NotFound)?;
    let place = messages::find_place(&unlocked.store, row, up_to)
        .await?
        .ok_or(Error::NotFound)?;
    let mut journal = Journal::begin(unlocked).await?;
    let now_read = conversations::mark_read(journal.tx(), row, place).await?;
    if unlocked.policy().read_receipts {
        let mut by_author: BTreeMap<UserId, Vec<MessageRef>> = BTreeMap::new();
        for read in now_read.into_iter().map(reference) {
            by_author.entry(read.sender.clone()).or_default().push(read);
        }
        for (author, read) in by_author {
            if let Some(contact) = contacts::find_in(journal.tx(), &author).await? {
                let kind = ReceiptKind::Read;
                receipts::queue(&mut journal, conversation, &contact, kind, &read).await?;
            }
        }
    }
    let unread = conversations::count_unread(journal.tx(), row).await?;
    journal.commit().await?;
    Ok(unread)
}

fn reference(read: NowRead) -> MessageRef {
    MessageRef {
        sender: read.sender,
        message_id: read.message_id,
        timestamp_ms: read.timestamp_ms,
    }
}

/// Conversations with their newest messages, the most recently active first.
pub async fn list_conversations(
    unlocked: &Unlocked,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<(Listed, Option<Message>)>, Error> {
    let listed = conversations::list(&unlocked.store, before, limit).await?;
    let mut summaries = Vec::with_capacity(listed.len());
    for entry in listed {
        let row = MessageRow(entry.last_message);
        let message = messages::find_by_row(&unlocked.store, row).await?;
        summaries.push((entry, message));
    }
    Ok(summaries)
}
