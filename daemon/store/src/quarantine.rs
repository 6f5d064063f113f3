//! What could not be opened: kept as it came, shown to no reader (D7, D19).

use connect_proto::hash::sha256;
use sqlx::Row as _;

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::int;

/// An envelope that was refused; `sender` and `message_id` are what the envelope claims.
#[derive(Debug)]
pub struct Refused<'a> {
    pub reason: &'static str,
    pub sender: &'a str,
    pub message_id: &'a [u8],
    pub envelope: &'a [u8],
    pub stored_ms: u64,
}

/// Returns false where the very same envelope is there already.
pub async fn add(tx: &mut Tx, refused: &Refused<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO quarantine (digest, reason, sender, message_id, envelope, stored_ms)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(sha256(refused.envelope).as_slice())
    .bind(refused.reason)
    .bind(refused.sender)
    .bind(refused.message_id)
    .bind(refused.envelope)
    .bind(int(refused.stored_ms))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn count(store: &Store) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT count(*) FROM quarantine")
        .fetch_one(store.reader())
        .await?;
    let count: i64 = row.try_get(0)?;
    Ok(count.unsigned_abs())
}
