//! The keys of a case's epochs: in the encrypted database and nowhere else, so that a backup has them too.

use connect_core::secret::CaseKey;
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};
use zeroize::Zeroizing;

use super::CaseRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, uint};

/// Adds a key, as somebody shared it; the same one again from there changes nothing.
pub async fn add(
    tx: &mut Tx,
    case: CaseRow,
    (epoch, key): (u32, &CaseKey),
    control: &Digest,
    source: &UserId,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO case_keys (of_case, epoch, key, control, source) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(case.0)
    .bind(epoch)
    .bind(key.expose().as_slice())
    .bind(control.as_slice())
    .bind(source.as_str())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many keys of an epoch one user gave.
pub async fn count_from(
    tx: &mut Tx,
    case: CaseRow,
    epoch: u32,
    source: &UserId,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS keys FROM case_keys WHERE of_case = ? AND epoch = ? AND source = ?",
    )
    .bind(case.0)
    .bind(epoch)
    .bind(source.as_str())
    .fetch_one(tx.connection())
    .await?;
    uint(&row, "keys")
}

/// Those of one epoch: none where it is unknown here.
pub async fn list_of(tx: &mut Tx, case: CaseRow, epoch: u32) -> Result<Vec<CaseKey>, StoreError> {
    list_with(tx.connection(), case, epoch).await
}

/// As `list_of`, outside of a transaction.
pub async fn find_of(store: &Store, case: CaseRow, epoch: u32) -> Result<Vec<CaseKey>, StoreError> {
    list_with(store.reader(), case, epoch).await
}

async fn list_with(
    executor: impl SqliteExecutor<'_>,
    case: CaseRow,
    epoch: u32,
) -> Result<Vec<CaseKey>, StoreError> {
    let rows = sqlx::query(
        "SELECT key FROM case_keys WHERE of_case = ? AND epoch = ? GROUP BY key ORDER BY min(id)",
    )
    .bind(case.0)
    .bind(epoch)
    .fetch_all(executor)
    .await?;
    rows.iter().map(read).collect()
}

/// What may be written under a revision is written under this key alone: the one that came from whoever began its epoch, or
/// brought the account in; of several of theirs the one that came with that revision, and came first.
pub async fn find_for_writing(
    tx: &mut Tx,
    case: CaseRow,
    control: &Digest,
) -> Result<Option<CaseKey>, StoreError> {
    let row = sqlx::query(
        "SELECT k.key FROM case_controls c JOIN case_keys k ON k.of_case = c.of_case AND k.epoch = c.epoch
         WHERE c.of_case = ? AND c.digest = ? AND k.source IN (c.key_from, '')
         ORDER BY k.source = c.key_from DESC, k.control = c.began DESC, k.id LIMIT 1",
    )
    .bind(case.0)
    .bind(control.as_slice())
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(read).transpose()
}

/// Every epoch's keys, the oldest first, for a participant who may read them all. Of one epoch the first is that which the
/// newest of its revisions here is written under.
pub async fn list(tx: &mut Tx, case: CaseRow) -> Result<Vec<(u32, CaseKey)>, StoreError> {
    let rows = sqlx::query(
        "SELECT k.epoch, k.key FROM case_keys k
         LEFT JOIN (SELECT epoch, key_from, began, max(revision) FROM case_controls WHERE of_case = ?1 GROUP BY epoch) c
             ON c.epoch = k.epoch
         WHERE k.of_case = ?1 GROUP BY k.epoch, k.key
         ORDER BY k.epoch, max((k.source = c.key_from) * 2 + (k.control = c.began)) DESC, min(k.id)",
    )
    .bind(case.0)
    .fetch_all(tx.connection())
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("epoch")?, read(row)?)))
        .collect()
}

fn read(row: &SqliteRow) -> Result<CaseKey, StoreError> {
    let key = Zeroizing::new(bytes::<32>(row, "key")?);
    Ok(CaseKey::from_bytes(&key))
}
