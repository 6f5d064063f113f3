//! Up to which event each app has got: where it starts again.

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{int, uint};

/// None where the app never said.
pub async fn find(store: &Store, app: &str) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query("SELECT event_id FROM event_cursors WHERE app = ?")
        .bind(app)
        .fetch_optional(store.reader())
        .await?;
    row.map(|row| uint(&row, "event_id")).transpose()
}

/// Moves the app's cursor on, never back, and tells where it stands.
pub async fn advance(tx: &mut Tx, app: &str, event_id: u64) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "INSERT INTO event_cursors (app, event_id) VALUES (?, ?)
         ON CONFLICT (app) DO UPDATE SET event_id = max(event_id, excluded.event_id) RETURNING event_id",
    )
    .bind(app)
    .bind(int(event_id))
    .fetch_one(tx.connection())
    .await?;
    uint(&row, "event_id")
}
