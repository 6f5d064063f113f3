//! The account's own key bundles: the one in force, and the one that a rotation is about to put in its place.

use connect_proto::keys::BoxPublicKey;
use sqlx::Row as _;

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, uint};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Current,
    /// The relay may know of it, or not yet.
    Next,
}

impl Stage {
    const fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Next => "next",
        }
    }
}

pub async fn put(tx: &mut Tx, stage: Stage, signed: &[u8]) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO own_bundles (stage, signed) VALUES (?, ?)")
        .bind(stage.word())
        .bind(signed)
        .execute(tx.connection())
        .await?;
    Ok(())
}

pub async fn find(store: &Store, stage: Stage) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query("SELECT signed FROM own_bundles WHERE stage = ?")
        .bind(stage.word())
        .fetch_optional(store.reader())
        .await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// The rotation has ended, either way.
pub async fn remove_next(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM own_bundles WHERE stage = 'next'")
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Notes when a Box Key of ours was replaced; said again, the first time counts.
pub async fn note_retired(tx: &mut Tx, key: &BoxPublicKey, now_ms: u64) -> Result<(), StoreError> {
    sqlx::query("INSERT OR IGNORE INTO retired_keys (box_key, retired_ms) VALUES (?, ?)")
        .bind(key.as_bytes().as_slice())
        .bind(int(now_ms))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The keys that were replaced, and when.
pub async fn list_retired(store: &Store) -> Result<Vec<(BoxPublicKey, u64)>, StoreError> {
    let rows = sqlx::query("SELECT box_key, retired_ms FROM retired_keys")
        .fetch_all(store.reader())
        .await?;
    rows.iter()
        .map(|row| {
            let key = BoxPublicKey::from_trusted(bytes(row, "box_key")?);
            Ok((key, uint(row, "retired_ms")?))
        })
        .collect()
}
