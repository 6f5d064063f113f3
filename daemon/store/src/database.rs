//! Opening and closing the database, and transactions.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connect_core::secret::DatabaseKey;
use connect_points::{Point, pass, pass_done};
use connect_proto::hash::Digest;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::condition::Condition;
use crate::error::{StoreError, left_no_mark};
use crate::sqlcipher::key_connection;
use crate::{memory, recovery};

/// Three of them may be busy for long (`integrity`, `snapshot`, `reading`).
const READERS: u32 = 5;
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
    condition: Arc<Condition>,
    closing: Arc<AtomicBool>,
    /// There was a log to take over: whoever had the database open did not close it.
    unclean: bool,
}

struct Writer {
    options: SqliteConnectOptions,
    key: Arc<DatabaseKey>,
    /// None once the store was closed.
    connection: Option<SqliteConnection>,
    connected: Instant,
    /// A transaction was given up: it is rolled back before the next one begins.
    abandoned: bool,
    /// A commit failed, or nobody waited for its end: its frames may lie in the log.
    doubtful: bool,
    /// The audit log's newest entry and its hash, as of this transaction; none where it has to be read.
    pub(crate) audit_head: Option<(u64, Digest)>,
    condition: Arc<Condition>,
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
        created?;
        Self::connect(path, key).await
    }

    pub async fn open(path: &Path, key: DatabaseKey) -> Result<Self, StoreError> {
        Self::connect(path, key).await
    }

    async fn connect(path: &Path, key: DatabaseKey) -> Result<Self, StoreError> {
        memory::is_wiped();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let unclean = has_log(path);
        let key = Arc::new(key);
        let connected = Instant::now();
        // Not from a pool, which would try a wrong key again and again.
        let connection = connected_with(&options, &key).await?;
        let condition = Arc::<Condition>::default();
        let readers = readers(Arc::clone(&key), Arc::clone(&condition));
        let readers = readers.connect_lazy_with(options.clone());
        if let Err(error) = MIGRATIONS.run(&readers).await {
            readers.close().await;
            drop(connection.close().await);
            return Err(error.into());
        }
        let writer = Writer {
            options,
            key,
            connected,
            connection: Some(connection),
            abandoned: false,
            doubtful: false,
            audit_head: None,
            condition: Arc::clone(&condition),
        };
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            readers,
            condition,
            closing: Arc::default(),
            unclean,
        })
    }

    /// How the disk is under it.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Whether it was in use when its process or its host ended.
    pub fn was_unclean(&self) -> bool {
        self.unclean
    }

    pub(crate) fn closing(&self) -> &Arc<AtomicBool> {
        &self.closing
    }

    /// Ends every connection: the log is checkpointed, and the key is wiped with the last of them. A process that exits
    /// without this can die of it: SQLCipher gives its memory back at the exit, under threads that still end a connection.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
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
        writer
            .begin()
            .await
            .inspect_err(|error| self.condition.note(*error))?;
        Ok(Tx { writer })
    }

    /// Finds out whether the database can be written, by writing what changes nothing.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.connection().execute(recovery::NO_CHANGE).await?;
        tx.commit().await
    }

    /// Writes the log back into the file and empties it: what was removed is in neither then. A reader that takes its time
    /// only puts that off.
    pub async fn empty_log(&self) -> Result<(), StoreError> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        // A checkpoint is no part of a transaction: the one that this begins is settled first, and ends at once.
        writer.begin().await?;
        writer.commit().await?;
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(writer.connection()?)
            .await?;
        Ok(())
    }

    pub(crate) fn reader(&self) -> &SqlitePool {
        &self.readers
    }
}

impl Writer {
    fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        self.connection.as_mut().ok_or(StoreError::Closed)
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        if self.condition.failed_after(self.connected) {
            self.reconnect().await?;
        }
        if self.abandoned || self.doubtful {
            self.audit_head = None;
        }
        if self.abandoned {
            recovery::rollback(self.connection()?).await?;
        }
        if self.doubtful {
            recovery::settle(self.connection()?).await?;
            self.doubtful = false;
        }
        self.abandoned = true;
        let connection = self.connection()?;
        connection.execute("BEGIN IMMEDIATE").await?;
        Ok(())
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        self.connection()?;
        let connected = Instant::now();
        // Before the old one ends: where none is left, the next one takes over what the log holds, wanted or not.
        let fresh = connected_with(&self.options, &self.key).await?;
        if let Some(old) = self.connection.replace(fresh)
            && let Err(error) = old.close().await
        {
            tracing::debug!(error = %StoreError::from(error), "a failed connection was not closed cleanly");
        }
        self.connected = connected;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.doubtful = true;
        let connection = self.connection()?;
        if let Err(error) = connection.execute("COMMIT").await {
            if left_no_mark(&error) {
                self.doubtful = false;
                return Err(error.into());
            }
            // Now, and not before the next transaction: the process may end in between.
            if let Err(error) = recovery::disown(connection).await {
                tracing::warn!(%error, "what was refused may come back after a restart");
            }
            return Err(error.into());
        }
        (self.abandoned, self.doubtful) = (false, false);
        Ok(())
    }
}

impl Tx {
    pub(crate) fn audit_head(&mut self) -> &mut Option<(u64, Digest)> {
        &mut self.writer.audit_head
    }

    /// Durable once this returns (D19, D20).
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let committed = match pass(Point::BeforeCommit) {
            Ok(()) => self.writer.commit().await,
            Err(_) => Err(StoreError::Failed(None)),
        };
        match committed {
            Ok(()) => {
                pass_done(Point::AfterCommit);
                self.writer.condition.note_success();
            }
            Err(error) => self.writer.condition.note(error),
        }
        committed
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

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

async fn connected_with(
    options: &SqliteConnectOptions,
    key: &DatabaseKey,
) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    if let Err(error) = prepare(&mut connection, key).await {
        drop(connection.close().await);
        return Err(error);
    }
    Ok(connection)
}

fn readers(key: Arc<DatabaseKey>, condition: Arc<Condition>) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
        .before_acquire(move |_, reader| {
            let stale = Instant::now()
                .checked_sub(reader.age)
                .is_none_or(|connected| condition.failed_after(connected));
            Box::pin(async move { Ok(!stale) })
        })
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
