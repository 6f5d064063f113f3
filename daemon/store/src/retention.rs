//! Removing what has been kept long enough, with everything that belongs to it.

use std::collections::BTreeSet;

use sqlx::Row as _;

use crate::database::Tx;
use crate::error::StoreError;
use crate::row::int;

/// Removes messages that were stored before `before_ms` and are in no outbox: those among the oldest `limit` of them.
/// Recipients, references and the words in the search index go along. Tells how many went.
pub async fn remove_messages(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let gone = sqlx::query(
        "DELETE FROM messages WHERE id IN (
             SELECT id FROM (
                 SELECT id, stored_ms FROM messages m
                 WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message = m.id) ORDER BY id LIMIT ?2)
             WHERE stored_ms < ?1)
         RETURNING conversation",
    )
    .bind(int(before_ms))
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    let mut conversations = BTreeSet::new();
    for row in &gone {
        conversations.insert(row.try_get::<i64, _>("conversation")?);
    }
    for conversation in conversations {
        sqlx::query(
            "UPDATE conversations SET last_message = (SELECT max(id) FROM messages WHERE conversation = ?1)
             WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = last_message)",
        )
        .bind(conversation)
        .execute(tx.connection())
        .await?;
    }
    Ok(gone.len() as u64)
}

/// Removes envelopes that were put aside before `before_ms`, at most `limit` of them, and tells how many went.
pub async fn remove_quarantined(
    tx: &mut Tx,
    before_ms: u64,
    limit: u32,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM quarantine WHERE digest IN
             (SELECT digest FROM quarantine WHERE stored_ms < ? ORDER BY stored_ms LIMIT ?)",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}
