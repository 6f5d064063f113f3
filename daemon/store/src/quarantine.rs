//! What could not be opened: kept as it came, shown to no reader (D7, D19).

use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::CaseId;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, text, uint};

/// An envelope that was refused; `sender` and `message_id` are what the envelope claims.
#[derive(Debug)]
pub struct Refused<'a> {
    pub reason: &'static str,
    pub sender: &'a str,
    pub message_id: &'a [u8],
    pub envelope: &'a [u8],
    pub stored_ms: u64,
    /// Of a patient case, where it may come right by what comes after it.
    pub case_id: Option<CaseId>,
}

/// What is kept of one.
pub struct Kept {
    /// Of the envelope: what it is asked for by.
    pub digest: Digest,
    pub reason: String,
    /// Empty where the envelope names nobody who can be one.
    pub sender: String,
    pub message_id: Vec<u8>,
    pub stored_ms: u64,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({})", self.reason)
    }
}

/// Returns false where the very same envelope is there already.
pub async fn add(tx: &mut Tx, refused: &Refused<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO quarantine (digest, reason, sender, message_id, envelope, stored_ms, case_id)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(sha256(refused.envelope).as_slice())
    .bind(refused.reason)
    .bind(refused.sender)
    .bind(refused.message_id)
    .bind(refused.envelope)
    .bind(int(refused.stored_ms))
    .bind(refused.case_id.map(CaseId::to_vec))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// An envelope as it came, and what it is removed and gone on from by.
pub struct Envelope {
    pub digest: Digest,
    pub bytes: Vec<u8>,
    pub stored_ms: u64,
}

impl std::fmt::Debug for Envelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Envelope({} bytes)", self.bytes.len())
    }
}

/// What a sender's envelopes were put aside for, the oldest first, from after that time and digest on.
pub async fn list_of(
    tx: &mut Tx,
    sender: &str,
    reason: &str,
    (after_ms, after): (u64, Digest),
    limit: u32,
) -> Result<Vec<Envelope>, StoreError> {
    let rows = sqlx::query(
        "SELECT digest, envelope, stored_ms FROM quarantine
         WHERE sender = ? AND reason = ? AND (stored_ms, digest) > (?, ?) ORDER BY stored_ms, digest LIMIT ?",
    )
    .bind(sender)
    .bind(reason)
    .bind(int(after_ms))
    .bind(after.as_slice())
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Envelope {
                digest: bytes(row, "digest")?,
                bytes: row.try_get("envelope")?,
                stored_ms: uint(row, "stored_ms")?,
            })
        })
        .collect()
}

/// How much is looked at once.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Of one sender, the oldest first: who has more waiting keeps nobody else's.
    pub of_a_sender: u32,
    pub in_all: u32,
}

/// What of a case waits for something else to come, with the time at which each was stored: the oldest of every sender
/// before the second of any.
pub async fn list_waiting(
    tx: &mut Tx,
    case_id: CaseId,
    reasons: &[&str],
    most: Most,
) -> Result<Vec<(Digest, Vec<u8>, u64)>, StoreError> {
    let rows = sqlx::query(
        "SELECT digest, envelope, stored_ms FROM (
             SELECT digest, stored_ms, row_number() OVER (PARTITION BY sender ORDER BY stored_ms, digest) AS place
             FROM quarantine WHERE case_id = ? AND reason IN (SELECT value FROM json_each(?)))
         JOIN quarantine USING (digest, stored_ms)
         WHERE place <= ? ORDER BY place, stored_ms, digest LIMIT ?",
    )
    .bind(case_id.to_vec())
    .bind(format!("{reasons:?}"))
    .bind(most.of_a_sender)
    .bind(most.in_all)
    .fetch_all(tx.connection())
    .await?;
    rows.iter()
        .map(|row| {
            Ok((
                bytes(row, "digest")?,
                row.try_get("envelope")?,
                uint(row, "stored_ms")?,
            ))
        })
        .collect()
}

/// It stays, for another reason than before.
pub async fn set_reason(tx: &mut Tx, digest: &Digest, reason: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE quarantine SET reason = ?1 WHERE digest = ?2 AND reason <> ?1")
        .bind(reason)
        .bind(digest.as_slice())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// What was put aside has come in.
pub async fn remove(tx: &mut Tx, digest: &Digest) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM quarantine WHERE digest = ?")
        .bind(digest.as_slice())
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

/// The newest first, those older than `after`.
pub async fn list(
    store: &Store,
    after: Option<&Digest>,
    limit: u32,
) -> Result<Vec<Kept>, StoreError> {
    let rows = sqlx::query(
        "SELECT digest, reason, sender, message_id, stored_ms FROM quarantine
         WHERE ?1 IS NULL OR (stored_ms, digest) < (SELECT stored_ms, digest FROM quarantine WHERE digest = ?1)
         ORDER BY stored_ms DESC, digest DESC LIMIT ?2",
    )
    .bind(after.map(<[u8; 32]>::as_slice))
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    rows.iter().map(read).collect()
}

/// One of them, with the envelope as it came.
pub async fn find(store: &Store, digest: &Digest) -> Result<Option<(Kept, Vec<u8>)>, StoreError> {
    let row = sqlx::query("SELECT * FROM quarantine WHERE digest = ?")
        .bind(digest.as_slice())
        .fetch_optional(store.reader())
        .await?;
    row.map(|row| Ok((read(&row)?, row.try_get("envelope")?)))
        .transpose()
}

fn read(row: &SqliteRow) -> Result<Kept, StoreError> {
    Ok(Kept {
        digest: bytes(row, "digest")?,
        reason: text(row, "reason")?.to_owned(),
        sender: text(row, "sender")?.to_owned(),
        message_id: row.try_get("message_id")?,
        stored_ms: uint(row, "stored_ms")?,
    })
}
