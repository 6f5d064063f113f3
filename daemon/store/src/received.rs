//! What came in: every (sender, message id) once, whatever it carries (D12).

use std::collections::BTreeMap;

use connect_proto::hash::Digest;
use connect_proto::ids::{MessageId, UserId};
use sqlx::Row as _;

use crate::codes::EventKind;
use crate::conversations::ConversationRow;
use crate::database::Tx;
use crate::error::StoreError;
use crate::new::NewMessage;
use crate::place::MessageRow;
use crate::row::{bytes, int, text, uint};

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

/// The same for the messages of a page, in one trip however many they are.
pub async fn add_messages(
    tx: &mut Tx,
    new: &[NewMessage<'_>],
) -> Result<Vec<(Stored, Option<u64>)>, StoreError> {
    // SQLite ends a text from JSON at a NUL.
    if new.len() < 2 || new.iter().any(|new| new.text.contains('\0')) {
        let mut all = Vec::with_capacity(new.len());
        for new in new {
            all.push(add_message(tx, new).await?);
        }
        return Ok(all);
    }
    let rows = sqlx::query(
        "INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms,
             installation_id, sequence, retired_key, text, reply_to, unread)
         SELECT value->>0, value->>1, unhex(value->>2), FALSE, value->>3, value->>4, unhex(value->>5), value->>6,
             value->>7, value->>8, unhex(value->>9), TRUE FROM json_each(?)
         WHERE NOT EXISTS (SELECT 1 FROM received_controls
             WHERE message_id = unhex(value->>2) AND sender = value->>1)
         ON CONFLICT DO NOTHING RETURNING sender, message_id;
         INSERT INTO events (at_ms, kind, conversation, user_id, message_id)
         SELECT stored_ms, ?, conversation, sender, message_id FROM messages
         WHERE id > (SELECT last_insert_rowid() - changes() WHERE changes() > 0) ORDER BY id RETURNING event_id",
    )
    .bind(as_json(new))
    .bind(EventKind::MessageReceived.word())
    .fetch_all(tx.connection())
    .await?;
    // As many messages as events, in the same order.
    let (messages, events) = rows.split_at(rows.len() / 2);
    let mut added = BTreeMap::new();
    for (message, event) in messages.iter().zip(events) {
        let id = MessageId::from_bytes(bytes(message, "message_id")?);
        added.insert(
            (text(message, "sender")?.to_owned(), id),
            uint(event, "event_id")?,
        );
    }
    let mut all = Vec::with_capacity(new.len());
    for message in new {
        // What comes twice in a page is new once.
        match added.remove(&(message.sender.to_string(), message.message_id)) {
            Some(event) => all.push((Stored::New, Some(event))),
            None => all.push((repeat_or_conflict(tx, message).await?, None)),
        }
    }
    Ok(all)
}

fn as_json(new: &[NewMessage<'_>]) -> String {
    let row = |new: &NewMessage<'_>| {
        serde_json::json!([
            new.conversation.0,
            new.sender.as_str(),
            hex::encode(new.message_id.as_bytes()),
            int(new.timestamp_ms),
            int(new.stored_ms),
            hex::encode(new.installation_id.as_bytes()),
            int(new.sequence),
            new.retired_key,
            new.text,
            new.reply_to.map(|id| hex::encode(id.as_bytes())),
        ])
    };
    let rows: serde_json::Value = new.iter().map(row).collect();
    rows.to_string()
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

/// A message that came late stands before the next one of the same installation (D13). What was stored after it has not
/// found its own place yet.
pub async fn move_to_its_place(tx: &mut Tx, new: &NewMessage<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE messages SET place = (
             SELECT coalesce(n.place, n.id) FROM messages n
             WHERE n.conversation = messages.conversation AND n.sequence > messages.sequence AND n.id < messages.id
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
