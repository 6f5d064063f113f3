//! The order of what comes in, by sender's installation and conversation: how far it has come, and what is missing (D13).

use connect_proto::ids::{InstallationId, MessageId, UserId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use crate::conversations::{self, Conversation, ConversationRow};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, parsed, uint};

/// What one installation of a sender says in one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream {
    pub conversation: ConversationRow,
    pub sender: UserId,
    pub installation_id: InstallationId,
}

/// A message in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub sequence: u64,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
}

/// Sequences that did not come, and the messages on either side; the same one twice where none came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    pub stream: Stream,
    pub first: u64,
    pub last: u64,
    pub before: (MessageId, u64),
    pub after: (MessageId, u64),
    pub noticed_ms: u64,
}

impl Gap {
    pub fn len(&self) -> u64 {
        self.last - self.first + 1
    }

    pub fn is_empty(&self) -> bool {
        false
    }
}

/// A gap that somebody is to be asked about.
#[derive(Debug)]
pub struct Due {
    pub gap: i64,
    pub conversation: Conversation,
    pub sender: UserId,
    pub before: (MessageId, u64),
    pub after: (MessageId, u64),
}

/// The newest message of a stream.
pub async fn find_highest(tx: &mut Tx, stream: &Stream) -> Result<Option<Mark>, StoreError> {
    let row = sqlx::query(
        "SELECT highest, highest_id, highest_ms FROM streams
         WHERE conversation = ? AND sender = ? AND installation_id = ?",
    )
    .bind(stream.conversation.0)
    .bind(stream.sender.as_str())
    .bind(stream.installation_id.as_bytes().as_slice())
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(Mark {
            sequence: uint(&row, "highest")?,
            message_id: MessageId::from_bytes(bytes(&row, "highest_id")?),
            timestamp_ms: uint(&row, "highest_ms")?,
        })
    })
    .transpose()
}

pub async fn put_highest(tx: &mut Tx, stream: &Stream, mark: Mark) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO streams (conversation, sender, installation_id, highest, highest_id, highest_ms)
         VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET highest = excluded.highest, highest_id = excluded.highest_id,
             highest_ms = excluded.highest_ms",
    )
    .bind(stream.conversation.0)
    .bind(stream.sender.as_str())
    .bind(stream.installation_id.as_bytes().as_slice())
    .bind(int(mark.sequence))
    .bind(mark.message_id.as_bytes().as_slice())
    .bind(int(mark.timestamp_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}

pub async fn add_gap(tx: &mut Tx, gap: &Gap) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO gaps (conversation, sender, installation_id, first, last, before_id, before_ms, after_id,
             after_ms, noticed_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(gap.stream.conversation.0)
    .bind(gap.stream.sender.as_str())
    .bind(gap.stream.installation_id.as_bytes().as_slice())
    .bind(int(gap.first))
    .bind(int(gap.last))
    .bind(gap.before.0.as_bytes().as_slice())
    .bind(int(gap.before.1))
    .bind(gap.after.0.as_bytes().as_slice())
    .bind(int(gap.after.1))
    .bind(int(gap.noticed_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes out the gap that a sequence lies in.
pub async fn take_gap(
    tx: &mut Tx,
    stream: &Stream,
    sequence: u64,
) -> Result<Option<Gap>, StoreError> {
    let row = sqlx::query(
        "DELETE FROM gaps WHERE id = (
             SELECT id FROM gaps WHERE conversation = ?1 AND sender = ?2 AND installation_id = ?3
                 AND first <= ?4 AND last >= ?4)
         RETURNING first, last, before_id, before_ms, after_id, after_ms, noticed_ms",
    )
    .bind(stream.conversation.0)
    .bind(stream.sender.as_str())
    .bind(stream.installation_id.as_bytes().as_slice())
    .bind(int(sequence))
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(Gap {
            stream: stream.clone(),
            first: uint(&row, "first")?,
            last: uint(&row, "last")?,
            before: side(&row, "before_id", "before_ms")?,
            after: side(&row, "after_id", "after_ms")?,
            noticed_ms: uint(&row, "noticed_ms")?,
        })
    })
    .transpose()
}

fn side(
    row: &SqliteRow,
    id: &'static str,
    ms: &'static str,
) -> Result<(MessageId, u64), StoreError> {
    Ok((MessageId::from_bytes(bytes(row, id)?), uint(row, ms)?))
}

/// How many messages are missing. Not by `sum`, which fails beyond 2^63: others say how large a gap is.
pub async fn count_missing(store: &Store) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT CAST(min(total(last - first + 1), 9007199254740991) AS INTEGER) AS missing FROM gaps")
        .fetch_one(store.reader())
        .await?;
    uint(&row, "missing")
}

/// How many are missing in a conversation.
pub async fn count_missing_in(
    store: &Store,
    conversation: &Conversation,
) -> Result<u64, StoreError> {
    match conversations::find(store, conversation).await? {
        Some(row) => count_missing_of(store.reader(), row).await,
        None => Ok(0),
    }
}

pub(crate) async fn count_missing_of(
    executor: impl SqliteExecutor<'_>,
    conversation: ConversationRow,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT CAST(min(total(last - first + 1), 9007199254740991) AS INTEGER) AS missing FROM gaps WHERE conversation = ?",
    )
    .bind(conversation.0)
    .fetch_one(executor)
    .await?;
    uint(&row, "missing")
}

/// How long a gap is borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Before it is asked about.
    pub noticed_ms: u64,
    /// Before it is asked about again.
    pub asked_ms: u64,
    pub most_times: u32,
}

/// Gaps that it is time to ask about. What was noted under a clock that has been set back since is due.
pub async fn find_due(
    tx: &mut Tx,
    now_ms: u64,
    patience: Patience,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    let rows = sqlx::query(
        "SELECT g.*, c.kind, c.peer FROM gaps g JOIN conversations c ON c.id = g.conversation
         WHERE g.noticed_ms NOT BETWEEN ?1 AND ?3 AND g.asked_ms NOT BETWEEN ?2 AND ?3 AND g.asked < ?4
         ORDER BY g.id LIMIT ?5",
    )
    .bind(int(now_ms.saturating_sub(patience.noticed_ms) + 1))
    .bind(int(now_ms.saturating_sub(patience.asked_ms) + 1))
    .bind(int(now_ms))
    .bind(patience.most_times)
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Due {
                gap: row.try_get("id")?,
                conversation: conversations::read(row)?,
                sender: parsed(row, "sender")?,
                before: side(row, "before_id", "before_ms")?,
                after: side(row, "after_id", "after_ms")?,
            })
        })
        .collect()
}

pub async fn note_asked(tx: &mut Tx, gap: i64, now_ms: u64) -> Result<(), StoreError> {
    sqlx::query("UPDATE gaps SET asked = asked + 1, asked_ms = ? WHERE id = ?")
        .bind(int(now_ms))
        .bind(gap)
        .execute(tx.connection())
        .await?;
    Ok(())
}
