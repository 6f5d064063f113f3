//! Messages in and out, with the state of each recipient.

use std::fmt;

use connect_proto::ids::{InstallationId, MessageId, UserId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::codes::{RecipientState, StateReason};
use crate::conversations::{self, Conversation, ConversationRow};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, optional_bytes, optional_text, parsed, text, uint};

/// A message to store.
#[derive(Clone)]
pub struct NewMessage<'a> {
    pub conversation: ConversationRow,
    pub sender: &'a UserId,
    pub message_id: MessageId,
    pub outgoing: bool,
    pub timestamp_ms: u64,
    pub stored_ms: u64,
    pub installation_id: InstallationId,
    pub sequence: u64,
    pub retired_key: bool,
    pub text: &'a str,
    pub reply_to: Option<MessageId>,
    pub client_ref: Option<&'a str>,
}

/// What became of storing a message that came in (D12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    New(MessageRow),
    /// The very same message was there already.
    Repeat,
    /// Another content was there under the same id, and stays.
    Conflict,
}

/// A message's row: rises with the order in which messages were stored here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageRow(pub i64);

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
    /// Empty for a message that came in.
    pub recipients: Vec<Recipient>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub user_id: UserId,
    pub state: RecipientState,
    pub reason: Option<StateReason>,
    pub changed_ms: u64,
}

/// Where a page of a conversation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Newest,
    OlderThan(MessageRow),
    NewerThan(MessageRow),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({})", self.message_id)
    }
}

impl fmt::Debug for NewMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewMessage({})", self.message_id)
    }
}

/// Stores a message; the first one under (sender, id) wins (D12).
pub async fn add(tx: &mut Tx, new: &NewMessage<'_>) -> Result<Stored, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms,
             installation_id, sequence, retired_key, text, reply_to, client_ref)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(new.conversation.0)
    .bind(new.sender.as_str())
    .bind(new.message_id.as_bytes().as_slice())
    .bind(new.outgoing)
    .bind(int(new.timestamp_ms))
    .bind(int(new.stored_ms))
    .bind(new.installation_id.as_bytes().as_slice())
    .bind(int(new.sequence))
    .bind(new.retired_key)
    .bind(new.text)
    .bind(new.reply_to.map(MessageId::to_vec))
    .bind(new.client_ref)
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = inserted else {
        return repeat_or_conflict(tx, new).await;
    };
    Ok(Stored::New(MessageRow(row.try_get(0)?)))
}

async fn repeat_or_conflict(tx: &mut Tx, new: &NewMessage<'_>) -> Result<Stored, StoreError> {
    let row = sqlx::query(
        "SELECT conversation = ? AND timestamp_ms = ? AND installation_id = ? AND sequence = ?
             AND text = ? AND reply_to IS ? AS same
         FROM messages WHERE message_id = ? AND sender = ?",
    )
    .bind(new.conversation.0)
    .bind(int(new.timestamp_ms))
    .bind(new.installation_id.as_bytes().as_slice())
    .bind(int(new.sequence))
    .bind(new.text)
    .bind(new.reply_to.map(MessageId::to_vec))
    .bind(new.message_id.as_bytes().as_slice())
    .bind(new.sender.as_str())
    .fetch_one(tx.connection())
    .await?;
    let same: bool = row.try_get("same")?;
    Ok(if same {
        Stored::Repeat
    } else {
        Stored::Conflict
    })
}

pub async fn set_recipient(
    tx: &mut Tx,
    message: MessageRow,
    recipient: &Recipient,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE recipients SET state = ?, reason = ?, changed_ms = ? WHERE message = ? AND user_id = ?",
    )
    .bind(recipient.state.word())
    .bind(recipient.reason.map(StateReason::word))
    .bind(int(recipient.changed_ms))
    .bind(message.0)
    .bind(recipient.user_id.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// To whom a message went, or is to go.
pub async fn list_recipients(
    tx: &mut Tx,
    message: MessageRow,
) -> Result<Vec<Recipient>, StoreError> {
    let rows = sqlx::query("SELECT * FROM recipients WHERE message = ? ORDER BY user_id")
        .bind(message.0)
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(read_recipient).collect()
}

/// One of our own messages, by the id that it was sent under.
pub async fn find_outgoing(
    tx: &mut Tx,
    author: &UserId,
    message_id: MessageId,
) -> Result<Option<(MessageRow, ConversationRow)>, StoreError> {
    let row =
        sqlx::query("SELECT id, conversation FROM messages WHERE message_id = ? AND sender = ?")
            .bind(message_id.as_bytes().as_slice())
            .bind(author.as_str())
            .fetch_optional(tx.connection())
            .await?;
    row.map(|row| {
        Ok((
            MessageRow(row.try_get("id")?),
            ConversationRow(row.try_get("conversation")?),
        ))
    })
    .transpose()
}

/// The first one stored where two senders chose the same id.
pub async fn find(store: &Store, message_id: MessageId) -> Result<Option<Message>, StoreError> {
    let row = sqlx::query(
        "SELECT m.*, c.kind, c.peer FROM messages m JOIN conversations c ON c.id = m.conversation
         WHERE m.message_id = ? ORDER BY m.id LIMIT 1",
    )
    .bind(message_id.as_bytes().as_slice())
    .fetch_optional(store.reader())
    .await?;
    match row {
        Some(row) => Ok(Some(with_recipients(store, read(&row)?).await?)),
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
        Some(row) => Ok(Some(with_recipients(store, read(&row)?).await?)),
        None => Ok(None),
    }
}

/// The place of a message within a conversation.
pub async fn find_place(
    store: &Store,
    conversation: ConversationRow,
    message_id: MessageId,
) -> Result<Option<MessageRow>, StoreError> {
    let row = sqlx::query(
        "SELECT id FROM messages WHERE message_id = ? AND conversation = ? ORDER BY id LIMIT 1",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(conversation.0)
    .fetch_optional(store.reader())
    .await?;
    row.map(|row| Ok(MessageRow(row.try_get(0)?))).transpose()
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
         WHERE m.conversation = ? AND m.id < ? ORDER BY m.id DESC LIMIT ?";
    let newer =
        "SELECT m.*, c.kind, c.peer FROM messages m JOIN conversations c ON c.id = m.conversation
         WHERE m.conversation = ? AND m.id > ? ORDER BY m.id LIMIT ?";
    let (query, place) = match from {
        From::Newest => (older, i64::MAX),
        From::OlderThan(row) => (older, row.0),
        From::NewerThan(row) => (newer, row.0),
    };
    let rows = sqlx::query(query)
        .bind(conversation.0)
        .bind(place)
        .bind(limit)
        .fetch_all(store.reader())
        .await?;
    let mut page: Vec<Message> = rows.iter().map(read).collect::<Result<_, _>>()?;
    if matches!(from, From::NewerThan(_)) {
        page.reverse();
    }
    add_recipients(store, conversation, &mut page).await?;
    Ok(page)
}

/// One query for the recipients of a whole page.
async fn add_recipients(
    store: &Store,
    conversation: ConversationRow,
    page: &mut [Message],
) -> Result<(), StoreError> {
    let (Some(newest), Some(oldest)) = (page.first(), page.last()) else {
        return Ok(());
    };
    let rows = sqlx::query(
        "SELECT r.* FROM recipients r JOIN messages m ON m.id = r.message
         WHERE m.conversation = ? AND m.id BETWEEN ? AND ?",
    )
    .bind(conversation.0)
    .bind(oldest.row.0)
    .bind(newest.row.0)
    .fetch_all(store.reader())
    .await?;
    for row in &rows {
        let message: i64 = row.try_get("message")?;
        let place = page.binary_search_by(|probe| message.cmp(&probe.row.0));
        if let Ok(place) = place {
            page[place].recipients.push(read_recipient(row)?);
        }
    }
    Ok(())
}

async fn with_recipients(store: &Store, mut message: Message) -> Result<Message, StoreError> {
    let rows = sqlx::query("SELECT * FROM recipients WHERE message = ? ORDER BY user_id")
        .bind(message.row.0)
        .fetch_all(store.reader())
        .await?;
    message.recipients = rows.iter().map(read_recipient).collect::<Result<_, _>>()?;
    Ok(message)
}

fn read(row: &SqliteRow) -> Result<Message, StoreError> {
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
        recipients: Vec::new(),
    })
}

fn read_recipient(row: &SqliteRow) -> Result<Recipient, StoreError> {
    Ok(Recipient {
        user_id: parsed(row, "user_id")?,
        state: RecipientState::read(text(row, "state")?)?,
        reason: optional_text(row, "reason")?
            .map(StateReason::read)
            .transpose()?,
        changed_ms: uint(row, "changed_ms")?,
    })
}
