//! What can go wrong in the database, by what the caller must do about it.

use std::io::ErrorKind;

/// Texts of lower layers are left behind on purpose: they quote keys and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Free some space; nothing that was acknowledged is lost.
    #[error("the disk is full")]
    Full,
    /// Look at the disk; nothing that was acknowledged is lost.
    #[error("the database cannot be read or written (SQLite code {0:?})")]
    Failed(Option<i32>),
    /// Restore the database from a backup.
    #[error("a page of the database is not what was written")]
    Damaged,
    /// The key is another database's, or the file is damaged.
    #[error("the database does not open under this key")]
    CannotOpen,
    /// Use the newer daemon again.
    #[error("the database was written by a newer version")]
    NewerSchema,
    /// The session ended meanwhile.
    #[error("the database is closed")]
    Closed,
    /// A row does not say what this code wrote: a bug, or tampering by someone with the key.
    #[error("a row of {0} does not make sense")]
    Inconsistent(&'static str),
}

const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;
/// The index of the log could not grow: SQLite has no other word for a disk that is full just then.
const SQLITE_IOERR_SHMSIZE: i32 = 4874;

/// The extended code.
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse().ok()
}

/// Whether a commit ended before its mark was written: SQLite says so of writes alone, and the mark is the last of them.
pub(crate) fn left_no_mark(error: &sqlx::Error) -> bool {
    sqlite_code(error) == Some(SQLITE_FULL)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolClosed) {
            return Self::Closed;
        }
        let code = sqlite_code(&error);
        if code == Some(SQLITE_IOERR_SHMSIZE) {
            return Self::Full;
        }
        // The low byte is the primary code.
        match code.map(|code| code & 0xff) {
            Some(SQLITE_FULL) => Self::Full,
            Some(SQLITE_CORRUPT) => Self::Damaged,
            Some(SQLITE_NOTADB) => Self::CannotOpen,
            _ => Self::Failed(code),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Failed(None),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::VersionMissing(_) => Self::NewerSchema,
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => error.into(),
            _ => Self::Failed(None),
        }
    }
}
