//! An enrollment on its way: the request as it was made, so that it can be repeated to the letter.

use sqlx::Row as _;

use crate::database::{Store, Tx};
use crate::error::StoreError;

pub async fn put_pending(tx: &mut Tx, request: &[u8]) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO pending_enrollment (one, request) VALUES (1, ?)")
        .bind(request)
        .execute(tx.connection())
        .await?;
    Ok(())
}

pub async fn find_pending(store: &Store) -> Result<Option<Vec<u8>>, StoreError> {
    let row = sqlx::query("SELECT request FROM pending_enrollment")
        .fetch_optional(store.reader())
        .await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}
