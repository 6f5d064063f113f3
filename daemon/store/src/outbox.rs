//! What is on its way to the relay, and the callers' own references to what they sent (D20).

use connect_proto::hash::Digest;
use connect_proto::ids::MessageId;
use sqlx::Row as _;

use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::messages::MessageRow;
use crate::row::{bytes, int, uint};

/// A message that is due to be sent.
#[derive(Debug)]
pub struct Queued {
    pub message: MessageRow,
    pub message_id: MessageId,
    pub conversation: ConversationRow,
    /// The encoded envelope, the same at every attempt.
    pub envelope: Vec<u8>,
    pub attempts: u32,
}

/// The oldest message that is due and that nothing of its own conversation stands before.
pub async fn find_due(store: &Store, now_ms: u64) -> Result<Option<Queued>, StoreError> {
    let row = sqlx::query(
        "SELECT o.message, o.envelope, o.attempts, o.conversation, m.message_id
         FROM outbox o JOIN messages m ON m.id = o.message
         WHERE o.due_ms <= ? AND NOT EXISTS
             (SELECT 1 FROM outbox e WHERE e.conversation = o.conversation AND e.message < o.message)
         ORDER BY o.message LIMIT 1",
    )
    .bind(int(now_ms))
    .fetch_optional(store.reader())
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    Ok(Some(Queued {
        message: MessageRow(row.try_get("message")?),
        message_id: MessageId::from_bytes(bytes(&row, "message_id")?),
        conversation: ConversationRow(row.try_get("conversation")?),
        envelope: row.try_get("envelope")?,
        attempts: row.try_get("attempts")?,
    }))
}

/// When the next message is due that nothing of its own conversation stands before.
pub async fn next_due_ms(store: &Store) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query(
        "SELECT o.due_ms FROM outbox o WHERE NOT EXISTS
             (SELECT 1 FROM outbox e WHERE e.conversation = o.conversation AND e.message < o.message)
         ORDER BY o.due_ms LIMIT 1",
    )
    .fetch_optional(store.reader())
    .await?;
    row.map(|row| uint(&row, "due_ms")).transpose()
}

pub async fn postpone(
    tx: &mut Tx,
    message: MessageRow,
    attempts: u32,
    due_ms: u64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE outbox SET attempts = ?, due_ms = ? WHERE message = ?")
        .bind(attempts)
        .bind(int(due_ms))
        .bind(message.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Sent, or given up: the message itself stays.
pub async fn remove(tx: &mut Tx, message: MessageRow) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM outbox WHERE message = ?")
        .bind(message.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// What is in the outbox, and how much of it is held.
pub async fn count(store: &Store) -> Result<(u64, u64), StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS queued, coalesce(sum(EXISTS
             (SELECT 1 FROM recipients r WHERE r.message = o.message AND r.state = 'held')), 0) AS held
         FROM outbox o",
    )
    .fetch_one(store.reader())
    .await?;
    Ok((uint(&row, "queued")?, uint(&row, "held")?))
}

/// What a caller's reference was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientRef {
    pub message: MessageRow,
    pub message_id: MessageId,
    /// Of the content that was sent under it.
    pub digest: Digest,
}

/// Looked up inside the transaction that would use the reference, so that no two calls can.
pub async fn find_client_ref(
    tx: &mut Tx,
    app: &str,
    client_ref: &str,
) -> Result<Option<ClientRef>, StoreError> {
    let row = sqlx::query(
        "SELECT r.digest, r.message, m.message_id FROM client_refs r JOIN messages m ON m.id = r.message
         WHERE r.app = ? AND r.client_ref = ?",
    )
    .bind(app)
    .bind(client_ref)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(ClientRef {
            message: MessageRow(row.try_get("message")?),
            message_id: MessageId::from_bytes(bytes(&row, "message_id")?),
            digest: bytes(&row, "digest")?,
        })
    })
    .transpose()
}
