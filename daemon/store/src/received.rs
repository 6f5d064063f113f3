//! What came in: every (sender, message id) once, whatever it carries (D12).

use connect_proto::hash::Digest;
use connect_proto::ids::{MessageId, UserId};
use sqlx::Row as _;

use crate::codes::EventKind;
use crate::conversations::ConversationRow;
use crate::database::Tx;
use crate::error::StoreError;
use crate::new::NewMessage;
use crate::place::MessageRow;
use crate::row::int;

/// What became of storing what came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    New,
    /// The very same was there already.
    Repeat,
    /// Other content was there under the same id, and stays.
    Conflict,
}

/// Stores a message to show, and tells of it: one trip to the database's thread. Returns the event's id as well where
/// the message is new.
pub async fn add_message(
    tx: &mut Tx,
    new: &NewMessage<'_>,
) -> Result<(Stored, Option<u64>), StoreError> {
    let done = sqlx::query(
        "INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms,
             installation_id, sequence, retired_key, text, reply_to, unread)
         SELECT ?, column1, column2, FALSE, ?, ?, ?, ?, ?, ?, ?, TRUE FROM (VALUES (?, ?))
         WHERE NOT EXISTS (SELECT 1 FROM received_controls WHERE message_id = column2 AND sender = column1)
         ON CONFLICT DO NOTHING;
         INSERT INTO events (at_ms, kind, conversation, user_id, message_id)
         SELECT column1, column2, column3, column4, column5 FROM (VALUES (?, ?, ?, ?, ?)) WHERE changes() > 0",
    )
    // messages
    .bind(new.conversation.0)
    .bind(int(new.timestamp_ms))
    .bind(int(new.stored_ms))
    .bind(new.installation_id.as_bytes().as_slice())
    .bind(int(new.sequence))
    .bind(new.retired_key)
    .bind(new.text)
    .bind(new.reply_to.map(MessageId::to_vec))
    .bind(new.sender.as_str())
    .bind(new.message_id.as_bytes().as_slice())
    // events
    .bind(int(new.stored_ms))
    .bind(EventKind::MessageReceived.word())
    .bind(new.conversation.0)
    .bind(new.sender.as_str())
    .bind(new.message_id.as_bytes().as_slice())
    .execute(tx.connection())
    .await?;
    if done.rows_affected() > 0 {
        let event = done.last_insert_rowid().unsigned_abs();
        return Ok((Stored::New, Some(event)));
    }
    Ok((repeat_or_conflict(tx, new).await?, None))
}

/// A message that was edited since is compared by its first text.
async fn repeat_or_conflict(tx: &mut Tx, new: &NewMessage<'_>) -> Result<Stored, StoreError> {
    let row = sqlx::query(
        "SELECT m.conversation = ? AND m.timestamp_ms = ? AND m.installation_id = ? AND m.sequence = ?
             AND coalesce((SELECT v.text FROM versions v WHERE v.message = m.id AND v.number = 1), m.text) = ?
             AND m.reply_to IS ? AS same
         FROM messages m WHERE m.message_id = ? AND m.sender = ?",
    )
    .bind(new.conversation.0)
    .bind(int(new.timestamp_ms))
    .bind(new.installation_id.as_bytes().as_slice())
    .bind(int(new.sequence))
    .bind(new.text)
    .bind(new.reply_to.map(MessageId::to_vec))
    .bind(new.message_id.as_bytes().as_slice())
    .bind(new.sender.as_str())
    .fetch_optional(tx.connection())
    .await?;
    match row {
        Some(row) if row.try_get("same")? => Ok(Stored::Repeat),
        // Where there is no such message, something else came under its id.
        _ => Ok(Stored::Conflict),
    }
}

/// Notes that something came which is no message to show. `digest` is of all that it says.
pub async fn add_control(
    tx: &mut Tx,
    sender: &UserId,
    message_id: MessageId,
    digest: &Digest,
    stored_ms: u64,
) -> Result<Stored, StoreError> {
    let done = sqlx::query(
        "INSERT INTO received_controls (message_id, sender, digest, stored_ms)
         SELECT column1, column2, ?, ? FROM (VALUES (?, ?))
         WHERE NOT EXISTS (SELECT 1 FROM messages WHERE message_id = column1 AND sender = column2)
         ON CONFLICT DO NOTHING",
    )
    .bind(digest.as_slice())
    .bind(int(stored_ms))
    .bind(message_id.as_bytes().as_slice())
    .bind(sender.as_str())
    .execute(tx.connection())
    .await?;
    if done.rows_affected() > 0 {
        return Ok(Stored::New);
    }
    let known = sqlx::query(
        "SELECT digest = ? AS same FROM received_controls WHERE message_id = ? AND sender = ?",
    )
    .bind(digest.as_slice())
    .bind(message_id.as_bytes().as_slice())
    .bind(sender.as_str())
    .fetch_optional(tx.connection())
    .await?;
    match known {
        Some(row) if row.try_get("same")? => Ok(Stored::Repeat),
        _ => Ok(Stored::Conflict),
    }
}

/// A message that came late stands before the next one of the same installation (D13).
pub async fn move_to_its_place(tx: &mut Tx, new: &NewMessage<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE messages SET place = (
             SELECT coalesce(n.place, n.id) FROM messages n
             WHERE n.conversation = messages.conversation AND n.sequence > messages.sequence
                 AND n.sender = messages.sender AND n.installation_id = messages.installation_id
             ORDER BY n.sequence LIMIT 1)
         WHERE message_id = ? AND sender = ?",
    )
    .bind(new.message_id.as_bytes().as_slice())
    .bind(new.sender.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A message of somebody's, for what refers to it.
pub async fn find_in(
    tx: &mut Tx,
    sender: &UserId,
    message_id: MessageId,
) -> Result<Option<(MessageRow, ConversationRow)>, StoreError> {
    let row =
        sqlx::query("SELECT id, conversation FROM messages WHERE message_id = ? AND sender = ?")
            .bind(message_id.as_bytes().as_slice())
            .bind(sender.as_str())
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

/// Removes the notes of what no relay delivers any more.
pub async fn forget_controls(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM received_controls WHERE (message_id, sender) IN
             (SELECT message_id, sender FROM received_controls WHERE stored_ms < ? ORDER BY stored_ms LIMIT ?)",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}
