//! The relay's database: SQLite in WAL mode, every change durable before it is answered.
//!
//! All writes go through one connection and its group commit (`writer`); reads go to a small pool beside it.

pub(crate) mod accounts;
pub(crate) mod attachments;
mod bounce;
pub(crate) mod chain;
pub(crate) mod chunks;
pub(crate) mod codes;
pub(crate) mod deletion;
pub(crate) mod delivery;
pub(crate) mod directory;
pub(crate) mod enrollment;
pub(crate) mod expiry;
pub(crate) mod figures;
pub(crate) mod inspection;
pub(crate) mod keys;
mod leaps;
mod ledger;
pub(crate) mod log;
pub(crate) mod mailbox;
pub(crate) mod news;
pub(crate) mod nonces;
pub(crate) mod operators;
mod pending;
pub(crate) mod profile;
pub(crate) mod proposals;
pub(crate) mod revocation;
pub(crate) mod rotation;
pub(crate) mod search;
pub(crate) mod withdrawal;
pub(crate) mod writer;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::identity::create_private;
pub(crate) use crate::users::UserNumber;
use crate::wakes::Wakes;
use keys::Keys;
use nonces::Nonce;
use pending::Pending;
use writer::{Change, Tx};

const FILE: &str = "relay.db";
/// Changes that may wait for the writer; who comes later waits to enqueue.
const QUEUE: usize = 1_024;
const READERS: u32 = 4;
/// Bytes of the write-ahead log that stay on disk after a burst.
const WAL_KEPT: &str = "67108864";
/// Every page that changed since the last checkpoint is copied once, however often it changed: rare ones copy less.
const CHECKPOINT_PAGES: &str = "8192";
/// KiB of pages that the writer remembers, so that a group does not spill before its commit.
const WRITER_CACHE: &str = "-8192";
/// How long one process waits for another one's transaction: operators' commands run beside the relay.
const BUSY: Duration = Duration::from_secs(10);

const SQLITE_FULL: &str = "13";

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot create the database: {0}")]
    Create(std::io::Error),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database has another shape than this version expects: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// A change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("the nonce was used before")]
    Replayed,
    #[error("the disk is full")]
    NoRoom,
    #[error("the change could not be made durable")]
    Unavailable,
}

impl From<&sqlx::Error> for ChangeError {
    fn from(error: &sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            Some(SQLITE_FULL) => Self::NoRoom,
            _ => Self::Unavailable,
        }
    }
}

/// What has become of a user: `users.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    Active = 0,
    Deleted = 1,
    /// Enrolled, and without an active key.
    Revoked = 2,
}

impl Account {
    fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Active,
            2 => Self::Revoked,
            _ => Self::Deleted,
        }
    }
}

/// The open database of a running relay.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    readers: SqlitePool,
    writer: mpsc::Sender<Box<dyn Pending>>,
    keys: Keys,
}

impl Store {
    /// Opens or creates the database. The writer ends when the last `Store` is dropped.
    pub(crate) async fn open(
        state_dir: &Path,
        wakes: Wakes,
        tasks: &TaskTracker,
    ) -> Result<Self, StoreError> {
        let connection = open_connection(state_dir).await?;
        let readers = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_with(options(state_dir).pragma("query_only", "on"))
            .await?;
        let (writer, queue) = mpsc::channel(QUEUE);
        let keys = Keys::default();
        tasks.spawn(writer::run(Tx::new(connection), queue, keys.clone(), wakes));
        Ok(Self {
            readers,
            writer,
            keys,
        })
    }

    /// Makes a change durable and answers its outcome. A nonce is spent in the same transaction.
    pub(crate) async fn change<C: Change>(
        &self,
        nonce: Option<Nonce>,
        change: C,
    ) -> Result<C::Outcome, ChangeError> {
        let (answer, outcome) = oneshot::channel();
        let pending = pending::pending(nonce, change, answer);
        self.writer
            .send(pending)
            .await
            .map_err(|_| ChangeError::Unavailable)?;
        outcome.await.map_err(|_| ChangeError::Unavailable)?
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }
}

/// One connection to a database of the present shape.
pub(crate) async fn open_connection(state_dir: &Path) -> Result<SqliteConnection, StoreError> {
    // SQLite gives its own files the mode of the database.
    create_private(&state_dir.join(FILE)).map_err(StoreError::Create)?;
    let options = options(state_dir).pragma("cache_size", WRITER_CACHE);
    let mut connection = options.connect().await?;
    sqlx::migrate!("./migrations").run(&mut connection).await?;
    Ok(connection)
}

fn options(state_dir: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(state_dir.join(FILE))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // Checking them would search every mailbox for each shared part that is deleted.
        .foreign_keys(false)
        .pragma("journal_size_limit", WAL_KEPT)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .busy_timeout(BUSY)
        .disable_statement_logging()
}

/// A list as SQLite's `json_each` reads it.
pub(crate) fn to_json(list: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(list).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// A list as SQLite's `json_group_array` wrote it.
fn from_json<T: serde::de::DeserializeOwned>(list: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(list).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// SQLite's integers are signed; nothing here comes near 2^63.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
