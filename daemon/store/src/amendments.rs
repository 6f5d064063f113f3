//! Edits and deletions by a message's own author; every earlier text stays for the auditor (D12).

use connect_proto::ids::{MessageId, UserId};
use sqlx::Row as _;

use crate::attachments;
use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::place::MessageRow;
use crate::row::{int, optional_text, text, uint};

/// A later word on a message.
#[derive(Clone, Copy)]
pub struct Amendment<'a> {
    /// The edit's or deletion's own: the highest one counts.
    pub sequence: u64,
    pub timestamp_ms: u64,
    /// None where the message is not to be shown any more.
    pub text: Option<&'a str>,
}

impl std::fmt::Debug for Amendment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Amendment(..)")
    }
}

/// A text that a message once had.
#[derive(Clone, PartialEq, Eq)]
pub struct Version {
    pub text: String,
    /// When its author says that it was written.
    pub written_ms: u64,
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Version(..)")
    }
}

/// Whether an amendment changed what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amended {
    Edited,
    Deleted,
    /// A later one had been there before, or the message is deleted.
    Outdated,
}

/// Amends a message. What was shown before, or would have been, becomes a version.
pub async fn apply(
    tx: &mut Tx,
    message: MessageRow,
    amendment: Amendment<'_>,
) -> Result<Amended, StoreError> {
    let row = sqlx::query(
        "SELECT amended_by, deleted_ms IS NOT NULL AS deleted FROM messages WHERE id = ?",
    )
    .bind(message.0)
    .fetch_one(tx.connection())
    .await?;
    let is_deleted: bool = row.try_get("deleted")?;
    let is_newest = uint(&row, "amended_by")? < amendment.sequence;
    match amendment.text {
        // It is kept for the auditor, and shown to nobody.
        Some(text) if is_deleted || !is_newest => {
            add_version(tx, message, text, amendment.timestamp_ms).await?;
            Ok(Amended::Outdated)
        }
        Some(text) => {
            keep_current(tx, message).await?;
            sqlx::query("UPDATE messages SET text = ?, edited_ms = ?, amended_by = ? WHERE id = ?")
                .bind(text)
                .bind(int(amendment.timestamp_ms))
                .bind(int(amendment.sequence))
                .bind(message.0)
                .execute(tx.connection())
                .await?;
            Ok(Amended::Edited)
        }
        None if is_deleted => Ok(Amended::Outdated),
        None => {
            keep_current(tx, message).await?;
            sqlx::query("UPDATE messages SET text = '', deleted_ms = ?, unread = 0 WHERE id = ?")
                .bind(int(amendment.timestamp_ms))
                .bind(message.0)
                .execute(tx.connection())
                .await?;
            attachments::withdraw(tx, message).await?;
            Ok(Amended::Deleted)
        }
    }
}

async fn keep_current(tx: &mut Tx, message: MessageRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO versions (message, number, text, written_ms)
         SELECT id, (SELECT count(*) + 1 FROM versions WHERE message = messages.id), text,
             coalesce(edited_ms, timestamp_ms)
         FROM messages WHERE id = ?",
    )
    .bind(message.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

async fn add_version(
    tx: &mut Tx,
    message: MessageRow,
    text: &str,
    written_ms: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO versions (message, number, text, written_ms)
         SELECT ?1, (SELECT count(*) + 1 FROM versions WHERE message = ?1), ?2, ?3",
    )
    .bind(message.0)
    .bind(text)
    .bind(int(written_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Keeps an amendment whose message has not come yet.
pub async fn keep_early(
    tx: &mut Tx,
    conversation: ConversationRow,
    sender: &UserId,
    target: MessageId,
    (amendment, now_ms): (Amendment<'_>, u64),
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO early_amendments (target, sender, sequence, conversation, timestamp_ms, text, stored_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(target.as_bytes().as_slice())
    .bind(sender.as_str())
    .bind(int(amendment.sequence))
    .bind(conversation.0)
    .bind(int(amendment.timestamp_ms))
    .bind(amendment.text)
    .bind(int(now_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets what has waited for its message since before that time.
pub async fn expire_early(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM early_amendments WHERE (target, sender, sequence) IN
             (SELECT target, sender, sequence FROM early_amendments WHERE stored_ms < ? LIMIT ?)",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// Whether any amendment waits for its message.
pub async fn has_early(tx: &mut Tx) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT EXISTS (SELECT 1 FROM early_amendments) AS any")
        .fetch_one(tx.connection())
        .await?;
    Ok(row.try_get("any")?)
}

/// Applies what waited for a message, in order.
pub async fn apply_early(
    tx: &mut Tx,
    message: MessageRow,
    conversation: ConversationRow,
    sender: &UserId,
    message_id: MessageId,
) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "DELETE FROM early_amendments WHERE target = ? AND sender = ? AND conversation = ?
         RETURNING sequence, timestamp_ms, text",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(sender.as_str())
    .bind(conversation.0)
    .fetch_all(tx.connection())
    .await?;
    let mut waited = Vec::with_capacity(rows.len());
    for row in &rows {
        waited.push(Amendment {
            sequence: uint(row, "sequence")?,
            timestamp_ms: uint(row, "timestamp_ms")?,
            text: optional_text(row, "text")?,
        });
    }
    waited.sort_by_key(|amendment| amendment.sequence);
    for amendment in waited {
        apply(tx, message, amendment).await?;
    }
    Ok(())
}

/// Every text that a message had before the one that is shown, the first one first.
pub async fn list_versions(store: &Store, message: MessageRow) -> Result<Vec<Version>, StoreError> {
    let rows =
        sqlx::query("SELECT text, written_ms FROM versions WHERE message = ? ORDER BY number")
            .bind(message.0)
            .fetch_all(store.reader())
            .await?;
    rows.iter()
        .map(|row| {
            Ok(Version {
                text: text(row, "text")?.to_owned(),
                written_ms: uint(row, "written_ms")?,
            })
        })
        .collect()
}
