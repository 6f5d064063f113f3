//! What the account's owner has settled: how long messages are kept, and what others are told.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{int, uint};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Messages that are older are removed; none where they are kept for good.
    pub retention_days: Option<u32>,
    /// Whether others are told that something is being written.
    pub typing: bool,
    /// Whether others are told that something was read.
    pub read_receipts: bool,
    /// Attachments of at most so many bytes are fetched as they come; none: all are.
    pub download_up_to: Option<u64>,
    /// Bytes of attachments that may lie here.
    pub attachments_quota: u64,
}

/// -1 stands for no limit.
fn limit(row: &SqliteRow) -> Result<Option<u64>, StoreError> {
    let stored: i64 = row.try_get("download_up_to")?;
    Ok(u64::try_from(stored).ok())
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retention_days: None,
            typing: false,
            read_receipts: true,
            download_up_to: Some(16 << 20),
            attachments_quota: 10 << 30,
        }
    }
}

/// The default where nothing was settled.
pub async fn find(store: &Store) -> Result<Policy, StoreError> {
    find_with(store.reader()).await
}

/// As it is within the transaction.
pub async fn find_in(tx: &mut Tx) -> Result<Policy, StoreError> {
    find_with(tx.connection()).await
}

async fn find_with(executor: impl SqliteExecutor<'_>) -> Result<Policy, StoreError> {
    let row = sqlx::query("SELECT retention_days, typing, read_receipts, download_up_to, attachments_quota FROM policy")
        .fetch_optional(executor)
        .await?;
    let Some(row) = row else {
        return Ok(Policy::default());
    };
    Ok(Policy {
        retention_days: row.try_get("retention_days")?,
        typing: row.try_get("typing")?,
        read_receipts: row.try_get("read_receipts")?,
        download_up_to: limit(&row)?,
        attachments_quota: uint(&row, "attachments_quota")?,
    })
}

pub async fn put(tx: &mut Tx, policy: &Policy) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT OR REPLACE INTO policy (one, retention_days, typing, read_receipts, download_up_to, attachments_quota)
         VALUES (1, ?, ?, ?, ?, ?)",
    )
    .bind(policy.retention_days)
    .bind(policy.typing)
    .bind(policy.read_receipts)
    .bind(policy.download_up_to.map_or(-1, int))
    .bind(int(policy.attachments_quota))
    .execute(tx.connection())
    .await?;
    Ok(())
}
