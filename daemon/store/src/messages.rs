//! Messages as they are read: one by one, and pages of a conversation in its order (D13).

use std::fmt;

use connect_proto::ids::{MessageId, UserId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::attachments::{self, Attached};
use crate::conversations::{self, Conversation, ConversationRow};
use crate::database::Store;
use crate::error::StoreError;
use crate::place::{MessageRow, Place};
use crate::recipients::{self, Recipient};
use crate::row::{bytes, optional_bytes, optional_text, optional_uint, parsed, text, uint};

/// A message as it is read.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    pub row: MessageRow,
    pub conversation: Conversation,
    pub sender: UserId,
    pub message_id: MessageId,
    pub outgoing: bool,
    pub timestamp_ms: u64,
    pub stored_ms: u64,
    pub retired_key: bool,
    pub text: String,
    pub reply_to: Option<MessageId>,
    pub client_ref: Option<String>,
    /// When its author last edited it.
    pub edited_ms: Option<u64>,
    /// When its author deleted it; then there is no text.
    pub deleted_ms: Option<u64>,
    /// Something went with it, whether or not it is still there.
    pub has_attachment: bool,
    /// What goes with it; none once it is deleted.
    pub attachment: Option<Attached>,
    /// Empty for a message that came in.
    pub recipients: Vec<Recipient>,
}

/// Where a page of a conversation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Newest,
    OlderThan(Place),
    NewerThan(Place),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.message_id)
    }
}

/// Our own where another sender chose the same id; otherwise the first one stored.
pub async fn find(store: &Store, message_id: MessageId) -> Result<Option<Message>, StoreError> {
    let row = sqlx::query(
        "SELECT m.*, c.kind, c.peer FROM messages m JOIN conversations c ON c.id = m.conversation
         WHERE m.message_id = ? ORDER BY m.outgoing DESC, m.id LIMIT 1",
    )
    .bind(message_id.as_bytes().as_slice())
    .fetch_optional(store.reader())
    .await?;
    match row {
        Some(row) => Ok(Some(with_all(store, &row).await?)),
        None => Ok(None),
    }
}

pub async fn find_by_row(store: &Store, row: MessageRow) -> Result<Option<Message>, StoreError> {
    let row = sqlx::query(
        "SELECT m.*, c.kind, c.peer FROM messages m JOIN conversations c ON c.id = m.conversation
         WHERE m.id = ?",
    )
    .bind(row.0)
    .fetch_optional(store.reader())
    .await?;
    match row {
        Some(row) => Ok(Some(with_all(store, &row).await?)),
        None => Ok(None),
    }
}

/// The place of a message within a conversation.
pub async fn find_place(
    store: &Store,
    conversation: ConversationRow,
    message_id: MessageId,
) -> Result<Option<Place>, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(place, id) AS beside, sequence FROM messages
         WHERE message_id = ? AND conversation = ? ORDER BY outgoing DESC, id LIMIT 1",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(conversation.0)
    .fetch_optional(store.reader())
    .await?;
    row.map(|row| {
        Ok(Place {
            beside: row.try_get("beside")?,
            sequence: row.try_get("sequence")?,
        })
    })
    .transpose()
}

/// A page of a conversation, newest first.
pub async fn list(
    store: &Store,
    conversation: ConversationRow,
    from: From,
    limit: u32,
) -> Result<Vec<Message>, StoreError> {
    let older =
        "SELECT m.*, c.kind, c.peer FROM messages m JOIN conversations c ON c.id = m.conversation
         WHERE m.conversation = ? AND (coalesce(m.place, m.id), m.sequence) < (?, ?)
         ORDER BY coalesce(m.place, m.id) DESC, m.sequence DESC LIMIT ?";
    let newer =
        "SELECT m.*, c.kind, c.peer FROM messages m JOIN conversations c ON c.id = m.conversation
         WHERE m.conversation = ? AND (coalesce(m.place, m.id), m.sequence) > (?, ?)
         ORDER BY coalesce(m.place, m.id), m.sequence LIMIT ?";
    let end = Place {
        beside: i64::MAX,
        sequence: 0,
    };
    let (query, place) = match from {
        From::Newest => (older, end),
        From::OlderThan(place) => (older, place),
        From::NewerThan(place) => (newer, place),
    };
    let rows = sqlx::query(query)
        .bind(conversation.0)
        .bind(place.beside)
        .bind(place.sequence)
        .bind(limit)
        .fetch_all(store.reader())
        .await?;
    let mut page: Vec<Message> = rows.iter().map(read).collect::<Result<_, _>>()?;
    if matches!(from, From::NewerThan(_)) {
        page.reverse();
    }
    add_recipients(store, &mut page).await?;
    add_attachments(store, &mut page).await?;
    Ok(page)
}

/// One query for the recipients of a whole page.
async fn add_recipients(store: &Store, page: &mut [Message]) -> Result<(), StoreError> {
    let sent: Vec<i64> = page
        .iter()
        .filter(|message| message.outgoing)
        .map(|message| message.row.0)
        .collect();
    for (message, recipient) in recipients::list_of_all(store, &sent).await? {
        if let Some(message) = page.iter_mut().find(|known| known.row.0 == message) {
            message.recipients.push(recipient);
        }
    }
    Ok(())
}

/// As `add_recipients`, and nothing where there are only texts.
async fn add_attachments(store: &Store, page: &mut [Message]) -> Result<(), StoreError> {
    for message in page.iter_mut().filter(|message| message.has_attachment) {
        message.attachment = attachments::find_attached(store.reader(), message.row).await?;
    }
    Ok(())
}

async fn with_all(store: &Store, row: &SqliteRow) -> Result<Message, StoreError> {
    let mut message = [read(row)?];
    add_attachments(store, &mut message).await?;
    let [mut message] = message;
    let found = recipients::list_of_all(store, &[message.row.0]).await?;
    message.recipients = found.into_iter().map(|(_, recipient)| recipient).collect();
    Ok(message)
}

pub(crate) fn read(row: &SqliteRow) -> Result<Message, StoreError> {
    Ok(Message {
        row: MessageRow(row.try_get("id")?),
        conversation: conversations::read(row)?,
        sender: parsed(row, "sender")?,
        message_id: MessageId::from_bytes(bytes(row, "message_id")?),
        outgoing: row.try_get("outgoing")?,
        timestamp_ms: uint(row, "timestamp_ms")?,
        stored_ms: uint(row, "stored_ms")?,
        retired_key: row.try_get("retired_key")?,
        text: text(row, "text")?.to_owned(),
        reply_to: optional_bytes(row, "reply_to")?.map(MessageId::from_bytes),
        client_ref: optional_text(row, "client_ref")?.map(str::to_owned),
        edited_ms: optional_uint(row, "edited_ms")?,
        deleted_ms: optional_uint(row, "deleted_ms")?,
        has_attachment: row.try_get("has_attachment")?,
        attachment: None,
        recipients: Vec::new(),
    })
}
