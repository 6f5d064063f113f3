//! A copy of the database as of one committed moment, made while it is used, under the same key.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::database::Store;
use crate::error::StoreError;
use crate::integrity::interrupt_when_closed;

/// Copies everything that was committed into a new file, in one read transaction: writers go on beside it, and what they
/// commit meanwhile is not in it. Every page is sealed before it is written, as in the database itself.
pub async fn take(store: &Store, to: &Path) -> Result<(), StoreError> {
    let to = to.to_str().ok_or(StoreError::Failed(None))?;
    // SQLite fills an empty file, and would make one that others may read.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    let mut reader = store.reader().acquire().await?;
    reader.close_on_drop();
    interrupt_when_closed(store, &mut reader).await?;
    sqlx::query("VACUUM INTO ?")
        .bind(to)
        .execute(&mut *reader)
        .await?;
    Ok(())
}
