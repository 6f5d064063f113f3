//! What came sealed to a key that is not here, as long as its sender may still seal it anew (§5.3).

use connect_proto::ids::{MessageId, UserId};
use sqlx::Row as _;

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::order::Patience;
use crate::row::{bytes, int, parsed, uint};

/// How much of it is kept track of, whoever sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub of_sender: u32,
    pub in_all: u32,
}

/// An envelope to ask for, by what stands on its outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unopened {
    pub sender: UserId,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
}

/// Returns whether it is new, and there was room for it.
pub async fn add(
    tx: &mut Tx,
    unopened: &Unopened,
    now_ms: u64,
    room: Room,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO unopened (message_id, sender, timestamp_ms, noticed_ms) SELECT ?1, ?2, ?3, ?4
         WHERE (SELECT count(*) FROM unopened WHERE sender = ?2) < ?5 AND (SELECT count(*) FROM unopened) < ?6
         ON CONFLICT DO NOTHING",
    )
    .bind(unopened.message_id.as_bytes().as_slice())
    .bind(unopened.sender.as_str())
    .bind(int(unopened.timestamp_ms))
    .bind(int(now_ms))
    .bind(room.of_sender)
    .bind(room.in_all)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// It came, sealed to a key that is here: what could not be opened is no longer kept. Returns how many envelopes leave
/// the quarantine; None where it was not waited for.
pub async fn settle(
    tx: &mut Tx,
    sender: &UserId,
    message_id: MessageId,
    reasons: &[&str],
) -> Result<Option<u64>, StoreError> {
    let done = sqlx::query("DELETE FROM unopened WHERE message_id = ? AND sender = ?")
        .bind(message_id.as_bytes().as_slice())
        .bind(sender.as_str())
        .execute(tx.connection())
        .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let done =
        sqlx::query("DELETE FROM quarantine WHERE sender = ? AND reason IN (SELECT value FROM json_each(?)) AND message_id = ?")
            .bind(sender.as_str())
            .bind(format!("{reasons:?}"))
            .bind(message_id.as_bytes().as_slice())
            .execute(tx.connection())
            .await?;
    Ok(Some(done.rows_affected()))
}

/// What it is time to ask for, the oldest first. What was noted under a clock that has been set back since is due.
pub async fn find_due(
    tx: &mut Tx,
    now_ms: u64,
    patience: Patience,
    limit: u32,
) -> Result<Vec<Unopened>, StoreError> {
    let rows = sqlx::query(
        "SELECT u.sender, u.message_id, u.timestamp_ms FROM unopened u JOIN contacts c ON c.user_id = u.sender
         WHERE u.noticed_ms NOT BETWEEN ?1 AND ?3 AND u.asked_ms NOT BETWEEN ?2 AND ?3 AND u.asked < ?4
             AND NOT c.blocked
         ORDER BY u.sender, u.timestamp_ms LIMIT ?5",
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
            Ok(Unopened {
                sender: parsed(row, "sender")?,
                message_id: MessageId::from_bytes(bytes(row, "message_id")?),
                timestamp_ms: uint(row, "timestamp_ms")?,
            })
        })
        .collect()
}

pub async fn note_asked(tx: &mut Tx, asked: &Unopened, now_ms: u64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE unopened SET asked = asked + 1, asked_ms = ? WHERE message_id = ? AND sender = ?",
    )
    .bind(int(now_ms))
    .bind(asked.message_id.as_bytes().as_slice())
    .bind(asked.sender.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Gives up what was noticed before `before_ms`, and tells how much that was. The envelopes stay in quarantine.
pub async fn give_up(tx: &mut Tx, before_ms: u64) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM unopened WHERE noticed_ms < ?")
        .bind(int(before_ms))
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected())
}

pub async fn count(store: &Store) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT count(*) FROM unopened")
        .fetch_one(store.reader())
        .await?;
    let count: i64 = row.try_get(0)?;
    Ok(count.unsigned_abs())
}
