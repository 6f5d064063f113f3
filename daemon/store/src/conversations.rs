//! Conversations: whom they are with, what was read, and the sequence of what is sent.

use std::fmt;

use connect_proto::ids::{CaseId, GroupId, MessageId, UserId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use crate::codes::ConversationKind;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::place::Place;
use crate::row::{bytes, parsed, text, uint};

/// What a conversation is with or about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Conversation {
    User(UserId),
    Group(GroupId),
    Case(CaseId),
}

impl Conversation {
    fn kind(&self) -> ConversationKind {
        match self {
            Self::User(_) => ConversationKind::User,
            Self::Group(_) => ConversationKind::Group,
            Self::Case(_) => ConversationKind::Case,
        }
    }

    fn peer(&self) -> String {
        match self {
            Self::User(user) => user.to_string(),
            Self::Group(group) => group.to_string(),
            Self::Case(case) => case.to_string(),
        }
    }
}

/// A conversation's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationRow(pub(crate) i64);

/// A conversation in the list of conversations.
#[derive(Clone, PartialEq, Eq)]
pub struct Listed {
    pub conversation: Conversation,
    /// The contact's display name, the group's name or the case's title; empty where there is none.
    pub title: String,
    /// The row of the newest message.
    pub last_message: i64,
    pub unread: u64,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listed(..)")
    }
}

/// The row, made where there is none yet.
pub async fn ensure(
    tx: &mut Tx,
    conversation: &Conversation,
) -> Result<ConversationRow, StoreError> {
    let row = sqlx::query(
        "INSERT INTO conversations (kind, peer) VALUES (?, ?)
         ON CONFLICT (kind, peer) DO UPDATE SET peer = excluded.peer RETURNING id",
    )
    .bind(conversation.kind().word())
    .bind(conversation.peer())
    .fetch_one(tx.connection())
    .await?;
    Ok(ConversationRow(row.try_get(0)?))
}

pub async fn find(
    store: &Store,
    conversation: &Conversation,
) -> Result<Option<ConversationRow>, StoreError> {
    find_with(store.reader(), conversation).await
}

/// As it is within the transaction.
pub async fn find_in(
    tx: &mut Tx,
    conversation: &Conversation,
) -> Result<Option<ConversationRow>, StoreError> {
    find_with(tx.connection(), conversation).await
}

pub(crate) async fn find_with(
    executor: impl SqliteExecutor<'_>,
    conversation: &Conversation,
) -> Result<Option<ConversationRow>, StoreError> {
    let row = sqlx::query("SELECT id FROM conversations WHERE kind = ? AND peer = ?")
        .bind(conversation.kind().word())
        .bind(conversation.peer())
        .fetch_optional(executor)
        .await?;
    row.map(|row| Ok(ConversationRow(row.try_get(0)?)))
        .transpose()
}

/// The row, made where there is none yet, and the next number of what this installation sends into the conversation,
/// from 1 (D13).
pub async fn next_sequence(
    tx: &mut Tx,
    conversation: &Conversation,
) -> Result<(ConversationRow, u64), StoreError> {
    let row = sqlx::query(
        "INSERT INTO conversations (kind, peer, last_sequence) VALUES (?, ?, 1)
         ON CONFLICT (kind, peer) DO UPDATE SET last_sequence = last_sequence + 1
         RETURNING id, last_sequence",
    )
    .bind(conversation.kind().word())
    .bind(conversation.peer())
    .fetch_one(tx.connection())
    .await?;
    Ok((
        ConversationRow(row.try_get("id")?),
        uint(&row, "last_sequence")?,
    ))
}

/// What a row stands for.
pub async fn find_named(tx: &mut Tx, row: ConversationRow) -> Result<Conversation, StoreError> {
    let row = sqlx::query("SELECT kind, peer FROM conversations WHERE id = ?")
        .bind(row.0)
        .fetch_one(tx.connection())
        .await?;
    read(&row)
}

/// A message that was unread until now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NowRead {
    pub sender: UserId,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
}

/// Marks everything up to a place as read, and tells what was not.
pub async fn mark_read(
    tx: &mut Tx,
    row: ConversationRow,
    up_to: Place,
) -> Result<Vec<NowRead>, StoreError> {
    let rows = sqlx::query(
        "UPDATE messages SET unread = 0
         WHERE conversation = ? AND unread AND (coalesce(place, id), sequence) <= (?, ?)
         RETURNING sender, message_id, timestamp_ms",
    )
    .bind(row.0)
    .bind(up_to.beside)
    .bind(up_to.sequence)
    .fetch_all(tx.connection())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(NowRead {
                sender: parsed(row, "sender")?,
                message_id: MessageId::from_bytes(bytes(row, "message_id")?),
                timestamp_ms: uint(row, "timestamp_ms")?,
            })
        })
        .collect()
}

/// How many messages of a conversation are unread.
pub async fn count_unread(tx: &mut Tx, row: ConversationRow) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT unread FROM conversations WHERE id = ?")
        .bind(row.0)
        .fetch_one(tx.connection())
        .await?;
    uint(&row, "unread")
}

/// The number of the last thing that this installation said in a conversation; 0 before the first.
pub async fn last_sequence(store: &Store, conversation: &Conversation) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT last_sequence FROM conversations WHERE kind = ? AND peer = ?")
        .bind(conversation.kind().word())
        .bind(conversation.peer())
        .fetch_optional(store.reader())
        .await?;
    row.map_or(Ok(0), |row| uint(&row, "last_sequence"))
}

/// The most recently active first; `before` is the `last_message` of the last one seen.
pub async fn list(
    store: &Store,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Listed>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.kind, c.peer, c.last_message, c.unread, coalesce(k.display_name, g.name, p.title, '') AS title
         FROM conversations c LEFT JOIN contacts k ON c.kind = 'user' AND k.user_id = c.peer
             LEFT JOIN groups g ON g.conversation = c.id LEFT JOIN cases p ON p.conversation = c.id
         WHERE c.last_message < ? ORDER BY c.last_message DESC LIMIT ?",
    )
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                conversation: read(row)?,
                title: text(row, "title")?.to_owned(),
                last_message: row.try_get("last_message")?,
                unread: uint(row, "unread")?,
            })
        })
        .collect()
}

/// From the columns `kind` and `peer`.
pub(crate) fn read(row: &SqliteRow) -> Result<Conversation, StoreError> {
    Ok(match ConversationKind::read(text(row, "kind")?)? {
        ConversationKind::User => Conversation::User(parsed(row, "peer")?),
        ConversationKind::Group => Conversation::Group(parsed(row, "peer")?),
        ConversationKind::Case => Conversation::Case(parsed(row, "peer")?),
    })
}
