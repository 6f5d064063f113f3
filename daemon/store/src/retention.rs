//! Removing what has been kept long enough, with everything that belongs to it.

use std::collections::BTreeMap;

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
         RETURNING conversation, NOT outgoing AND id >
             (SELECT c.read_up_to FROM conversations c WHERE c.id = conversation) AS was_unread",
    )
    .bind(int(before_ms))
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    let mut unread: BTreeMap<i64, i64> = BTreeMap::new();
    for row in &gone {
        let was_unread: bool = row.try_get("was_unread")?;
        *unread.entry(row.try_get("conversation")?).or_default() += i64::from(was_unread);
    }
    for (conversation, unread) in unread {
        follow(tx, conversation, unread).await?;
    }
    Ok(gone.len() as u64)
}

/// What the conversation tells of its messages. A row id that becomes free at the end is given away again, and must not
/// count as read.
async fn follow(tx: &mut Tx, conversation: i64, unread: i64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE conversations SET
             last_message = (SELECT max(id) FROM messages WHERE conversation = ?1),
             unread = max(0, unread - ?2),
             read_up_to = min(read_up_to, (SELECT coalesce(max(id), 0) FROM messages))
         WHERE id = ?1",
    )
    .bind(conversation)
    .bind(unread)
    .execute(tx.connection())
    .await?;
    Ok(())
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
