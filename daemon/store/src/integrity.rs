//! Looks at every page of the file: whether it is what was written, and whether the pages make sense together.

use sqlx::SqliteConnection;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::condition::Integrity;
use crate::database::Store;
use crate::error::StoreError;

/// Steps of SQLite's between two looks at whether the database is being closed.
const STEPS: i32 = 1000;
/// SQLCipher's: one line for each page that is not what was written.
const PAGES: &str = "PRAGMA cipher_integrity_check";
/// SQLite's: how the pages hang together.
const STRUCTURE: &str = "PRAGMA quick_check";

/// Reads the whole database, beside those who use it, and remembers what it came to.
pub async fn check(store: &Store) -> Result<Integrity, StoreError> {
    store.condition().set_integrity(Integrity::Checking);
    let found = look(store).await;
    let integrity = *found.as_ref().unwrap_or(&Integrity::Unchecked);
    store.condition().set_integrity(integrity);
    found
}

async fn look(store: &Store) -> Result<Integrity, StoreError> {
    let mut pages = complaints(store, PAGES).await?;
    if !pages.is_empty() {
        // It reads the file past SQLite's locks, and may have met a page that was just being written: what it finds has
        // to be there while nobody writes.
        let _nobody_writes = store.begin().await?;
        pages = complaints(store, PAGES).await?;
    }
    if !pages.is_empty() {
        return Ok(damaged(pages.len()));
    }
    match complaints(store, STRUCTURE).await {
        Ok(sound) if sound == ["ok"] => Ok(Integrity::Ok),
        Ok(wrong) => Ok(damaged(wrong.len())),
        Err(StoreError::Damaged) => Ok(damaged(1)),
        Err(error) => Err(error),
    }
}

/// On a connection of its own: one that met a damaged page is of no more use.
async fn complaints(store: &Store, pragma: &'static str) -> Result<Vec<String>, StoreError> {
    let mut reader = store.reader().acquire().await?;
    reader.close_on_drop();
    interrupt_when_closed(store, &mut reader).await?;
    Ok(sqlx::query_scalar(pragma).fetch_all(&mut *reader).await?)
}

fn damaged(complaints: usize) -> Integrity {
    tracing::error!(complaints, "the database is damaged");
    Integrity::Damaged
}

/// A lock does not wait for the end of a long look.
pub(crate) async fn interrupt_when_closed(
    store: &Store,
    reader: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let closing = Arc::clone(store.closing());
    let mut handle = reader.lock_handle().await?;
    handle.set_progress_handler(STEPS, move || !closing.load(Ordering::Relaxed));
    Ok(())
}
