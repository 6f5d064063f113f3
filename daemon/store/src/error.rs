//! What can go wrong in the database, by what the caller must do about it.

/// Texts of lower layers are left behind on purpose: they quote keys and content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Free some space; nothing that was acknowledged is lost.
    #[error("the disk is full")]
    Full,
    /// Look at the disk; nothing that was acknowledged is lost.
    #[error("the database cannot be read or written (SQLite code {0:?})")]
    Failed(Option<i32>),
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

const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolClosed) {
            return Self::Closed;
        }
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .and_then(|code| code.parse::<i32>().ok());
        // The low byte is the primary code.
        match code.map(|code| code & 0xff) {
            Some(SQLITE_FULL) => Self::Full,
            Some(SQLITE_NOTADB) => Self::CannotOpen,
            _ => Self::Failed(code),
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
