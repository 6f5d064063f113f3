//! What the account's owner has settled: how long messages are kept, and what others are told.

use sqlx::{Row as _, SqliteExecutor};

use crate::database::{Store, Tx};
use crate::error::StoreError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Messages that are older are removed; none where they are kept for good.
    pub retention_days: Option<u32>,
    /// Whether others are told that something is being written.
    pub typing: bool,
    /// Whether others are told that something was read.
    pub read_receipts: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retention_days: None,
            typing: false,
            read_receipts: true,
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
    let row = sqlx::query("SELECT retention_days, typing, read_receipts FROM policy")
        .fetch_optional(executor)
        .await?;
    let Some(row) = row else {
        return Ok(Policy::default());
    };
    Ok(Policy {
        retention_days: row.try_get("retention_days")?,
        typing: row.try_get("typing")?,
        read_receipts: row.try_get("read_receipts")?,
    })
}

pub async fn put(tx: &mut Tx, policy: &Policy) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT OR REPLACE INTO policy (one, retention_days, typing, read_receipts) VALUES (1, ?, ?, ?)",
    )
    .bind(policy.retention_days)
    .bind(policy.typing)
    .bind(policy.read_receipts)
    .execute(tx.connection())
    .await?;
    Ok(())
}
