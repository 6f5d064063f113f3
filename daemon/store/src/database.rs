//! Opening and closing the database, and transactions.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connect_core::secret::DatabaseKey;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, Sqlite, SqliteConnection, Transaction,
};

use crate::error::StoreError;
use crate::sqlcipher::key_connection;

const READERS: u32 = 2;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// After the key: WAL with a full sync at every commit (D19, D20), deleted content overwritten, nothing outside the file.
const SETTINGS: &str = "PRAGMA journal_mode = WAL;
     PRAGMA synchronous = FULL;
     PRAGMA foreign_keys = ON;
     PRAGMA secure_delete = ON;
     PRAGMA temp_store = MEMORY;
     PRAGMA cache_size = -1024;
     PRAGMA trusted_schema = OFF;";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// The open database. One connection writes, so that writers queue here and not in SQLite's busy loop.
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// A write transaction. Dropped without `commit`, it leaves nothing behind.
pub struct Tx(Transaction<'static, Sqlite>);

impl Store {
    /// Makes a new database; it is an error if there is one already.
    pub async fn create(path: &Path, key: DatabaseKey) -> Result<Self, StoreError> {
        // SQLite gives its log the mode of the database: private from the first byte on.
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        created.map_err(|_| StoreError::Failed(None))?;
        Self::connect(path, key).await
    }

    pub async fn open(path: &Path, key: DatabaseKey) -> Result<Self, StoreError> {
        Self::connect(path, key).await
    }

    async fn connect(path: &Path, key: DatabaseKey) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let key = Arc::new(key);
        // A pool would try a wrong key again and again: one connection alone tells at once.
        let mut probe = options.connect().await?;
        prepare(&mut probe, &key).await?;
        probe.close().await?;
        let writer = pool(1, &key).connect_lazy_with(options.clone());
        MIGRATIONS.run(&writer).await?;
        let readers = pool(READERS, &key).connect_lazy_with(options);
        Ok(Self { writer, readers })
    }

    /// Ends every connection: the log is checkpointed, and the key is wiped with the last of them.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(Tx(self.writer.begin_with("BEGIN IMMEDIATE").await?))
    }

    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.readers
    }
}

impl Tx {
    /// Durable once this returns (D19, D20).
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}

async fn prepare(connection: &mut SqliteConnection, key: &DatabaseKey) -> Result<(), sqlx::Error> {
    // SQLCipher would write to standard error by itself; what matters is in the error codes.
    connection.execute("PRAGMA cipher_log_level = NONE").await?;
    key_connection(connection, key).await?;
    connection.execute(SETTINGS).await?;
    Ok(())
}

fn pool(size: u32, key: &Arc<DatabaseKey>) -> SqlitePoolOptions {
    let key = Arc::clone(key);
    SqlitePoolOptions::new()
        .max_connections(size)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
        .after_connect(move |connection, _| {
            let key = Arc::clone(&key);
            Box::pin(async move { prepare(connection, &key).await })
        })
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(..)")
    }
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tx(..)")
    }
}
