//! Opening and closing the database, and transactions.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connect_core::secret::DatabaseKey;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

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
    writer: Arc<Mutex<Writer>>,
    readers: SqlitePool,
}

struct Writer {
    /// None once the store was closed.
    connection: Option<SqliteConnection>,
    /// A transaction was given up: it is rolled back before the next one begins.
    abandoned: bool,
}

/// A write transaction. Dropped without `commit`, it leaves nothing behind.
pub struct Tx {
    writer: OwnedMutexGuard<Writer>,
}

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
        // Not from a pool, which would try a wrong key again and again.
        let mut connection = options.connect().await?;
        prepare(&mut connection, &key).await?;
        let readers = readers(key).connect_lazy_with(options);
        MIGRATIONS.run(&readers).await?;
        let writer = Writer {
            connection: Some(connection),
            abandoned: false,
        };
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            readers,
        })
    }

    /// Ends every connection: the log is checkpointed, and the key is wiped with the last of them.
    pub async fn close(&self) {
        self.readers.close().await;
        let closing = self.writer.lock().await.connection.take();
        if let Some(connection) = closing
            && let Err(error) = connection.close().await
        {
            tracing::warn!(error = %StoreError::from(error), "the database was not closed cleanly");
        }
    }

    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let abandoned = std::mem::replace(&mut writer.abandoned, true);
        let connection = writer.connection()?;
        if abandoned {
            rollback(&mut *connection).await?;
        }
        sqlx::query("BEGIN IMMEDIATE").execute(connection).await?;
        Ok(Tx { writer })
    }

    /// Writes the log back into the file and empties it: what was removed is in neither then. A reader that takes its time
    /// only puts that off.
    pub async fn empty_log(&self) -> Result<(), StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let abandoned = std::mem::replace(&mut writer.abandoned, false);
        let connection = writer.connection()?;
        if abandoned {
            rollback(&mut *connection).await?;
        }
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(connection)
            .await?;
        Ok(())
    }

    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.readers
    }
}

/// The transaction may be over already: SQLite ends it by itself where the disk is full.
async fn rollback(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    match sqlx::query("ROLLBACK").execute(connection).await {
        Err(sqlx::Error::Database(_)) | Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Writer {
    fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.connection.as_mut().ok_or(StoreError::Closed)
    }
}

impl Tx {
    /// Durable once this returns (D19, D20).
    pub async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::query("COMMIT")
            .execute(self.writer.connection()?)
            .await?;
        self.writer.abandoned = false;
        Ok(())
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        let connection = self.writer.connection.as_mut();
        connection.expect("a transaction holds the writer, and closing waits for it")
    }
}

async fn prepare(connection: &mut SqliteConnection, key: &DatabaseKey) -> Result<(), sqlx::Error> {
    // SQLCipher would write to standard error by itself; what matters is in the error codes.
    connection.execute("PRAGMA cipher_log_level = NONE").await?;
    key_connection(connection, key).await?;
    connection.execute(SETTINGS).await?;
    Ok(())
}

fn readers(key: DatabaseKey) -> SqlitePoolOptions {
    let key = Arc::new(key);
    SqlitePoolOptions::new()
        .max_connections(READERS)
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
