//! After a commit that failed: what was refused must not come back, and what follows must not stand on it.
//!
//! SQLite writes a transaction's frames into the log, commit mark included, and syncs them after that. Where the sync
//! fails it says so and forgets the frames, but they lie in the file, and the next process to open the database would
//! take them over: a message that was refused would be sent. So they are overwritten at once, by a transaction that
//! changes nothing and is not synced, which is why it succeeds on a disk that cannot sync. What lies in the log now may
//! never reach the disk, though the kernel reports that only once; so before anything else is committed, the whole log
//! goes into the database, by syncs that have to succeed, and begins anew.

use sqlx::{Executor as _, Row as _, SqliteConnection};

use crate::error::StoreError;

/// Writes the first page as it is.
pub(crate) const NO_CHANGE: &str = "PRAGMA user_version = 0";
const UNSYNCED: &str = "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF";
const SYNCED: &str = "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000";
const SQLITE_BUSY: i32 = 5;

/// The transaction may be over already: SQLite ends it by itself where the disk is full.
pub(crate) async fn rollback(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    match connection.execute("ROLLBACK").await {
        Err(sqlx::Error::Database(_)) | Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Overwrites the frames of a transaction whose commit failed.
pub(crate) async fn disown(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    rollback(connection).await?;
    connection.execute(UNSYNCED).await?;
    let overwritten = connection.execute(NO_CHANGE).await;
    connection.execute(SYNCED).await?;
    overwritten?;
    Ok(())
}

/// Afterwards everything that was ever committed is durable, and the log is empty.
pub(crate) async fn settle(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection.execute(SYNCED).await?;
    let row = connection
        .fetch_one("PRAGMA wal_checkpoint(TRUNCATE)")
        .await?;
    let busy: bool = row.try_get(0)?;
    if busy {
        return Err(StoreError::Failed(Some(SQLITE_BUSY)));
    }
    Ok(())
}
