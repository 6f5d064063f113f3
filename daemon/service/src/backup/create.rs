//! Makes a backup while messages flow: a snapshot as of one committed moment, sealed on its way out.

use std::fs::File;
use std::io::{self, Cursor, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connect_core::backup::sealed_len;
use connect_core::secret::{BackupKey, DatabaseKey};
use connect_core::wrap::{KeyPurpose, wrap};
use connect_proto::hash::{Digest, sha256};
use connect_store::contents::{self, Contents};
use connect_store::database::Store;
use connect_store::snapshot;
use connect_vault::vault::portable::Portable;
use sha2::{Digest as _, Sha256};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::format::{Header, Manifest};
use super::scratch::{Scratch, failed};
use super::write::Sealer;
use crate::error::{Error, Reason};
use crate::opening::from_vault;
use crate::session::{DATABASE, Session};
use crate::unlocked::Unlocked;

/// Sealed bytes that are made at a time.
const PIECE: usize = 1 << 20;
/// How long one waits for another.
const PATIENCE: Duration = Duration::from_secs(10);

/// Up to when a backup has everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub event_id: u64,
    pub at_ms: u64,
}

/// A backup on its way out.
#[derive(Debug)]
pub struct Outgoing {
    pub size: u64,
    pub taken_at: Moment,
    header: Option<Vec<u8>>,
    sealer: Option<Sealer<io::Chain<Cursor<Vec<u8>>, File>>>,
    _scratch: Scratch,
    _turn: OwnedMutexGuard<()>,
}

/// Whether there is a recovery key: without one nobody could open a backup.
pub fn check(unlocked: &Unlocked) -> Result<(), Error> {
    if unlocked.has_recovery_key() {
        Ok(())
    } else {
        Err(no_recovery_key())
    }
}

fn no_recovery_key() -> Error {
    Error::invalid("recovery_key", Reason::Missing)
}

/// Takes the snapshot. What is committed from here on is not in the backup.
pub async fn begin(session: &Session, unlocked: &Arc<Unlocked>) -> Result<Outgoing, Error> {
    let turn = take_turn(session).await?;
    let keys = portable(session).await?;
    let dir = session.account_dir();
    let bytes = length_of(&dir.join(DATABASE)) + length_of(&dir.join("messages.db-wal"));
    let scratch = Scratch::make(session.state_dir(), bytes, session.chance.clone())?;
    let path = scratch.path().join(DATABASE);
    let taken_ms = session.clock.now_ms();
    let taken = snapshot(unlocked, &path).await;
    // A lock interrupts it.
    let contents = taken.map_err(|error| {
        if unlocked.ending.is_cancelled() {
            Error::Locked
        } else {
            error
        }
    })?;
    let (file, length, digest) = blocking(move || measure(&path)).await?;

    let mut rng = session.chance.clone();
    let key = BackupKey::generate(&mut rng);
    let under = &unlocked.keys.local_file_key;
    let owner = unlocked.user_id();
    let backup_key = wrap(under, KeyPurpose::Backup, owner, key.expose(), &mut rng);
    let header = Header { keys, backup_key }.encode();
    let manifest = Manifest {
        header: sha256(&header),
        taken_ms,
        database_bytes: length,
        database_sha256: digest,
        contents: contents.into(),
    }
    .encode();
    let content = manifest.len() as u64 + length;
    Ok(Outgoing {
        size: header.len() as u64 + sealed_len(content),
        taken_at: Moment {
            event_id: contents.last_event_id,
            at_ms: taken_ms,
        },
        header: Some(header),
        sealer: Some(Sealer::new(key, Cursor::new(manifest).chain(file), content)),
        _scratch: scratch,
        _turn: turn,
    })
}

/// One at a time, since each takes as much room as the database. The one before may only be about to end.
pub(super) async fn take_turn(session: &Session) -> Result<OwnedMutexGuard<()>, Error> {
    let turn = Arc::clone(&session.backing_up).lock_owned();
    timeout(PATIENCE, turn)
        .await
        .map_err(|_| Error::RateLimited {
            retry_after_ms: 10_000,
        })
}

async fn portable(session: &Session) -> Result<Portable, Error> {
    let vault = session.vault(&session.account_dir());
    let read = tokio::task::spawn_blocking(move || vault.portable());
    let found = read
        .await
        .map_err(|_| Error::Internal("reading the sealed keys ended early"))?;
    found
        .map_err(|error| from_vault(error, "recovery_key"))?
        .ok_or_else(no_recovery_key)
}

fn length_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

/// Returns what is in it.
async fn snapshot(unlocked: &Unlocked, path: &Path) -> Result<Contents, Error> {
    snapshot::take(&unlocked.store, path).await?;
    let key = DatabaseKey::from_bytes(unlocked.keys.database_key.expose());
    let copy = Store::open(path, key).await?;
    let contents = contents::count(&copy).await;
    copy.close().await;
    Ok(contents?)
}

fn measure(path: &Path) -> io::Result<(File, u64, Digest)> {
    let mut digest = Sha256::new();
    let length = io::copy(&mut File::open(path)?, &mut digest)?;
    Ok((File::open(path)?, length, digest.finalize().into()))
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| Error::Internal("file work ended early"))?;
    done.map_err(|error| failed(&error))
}

impl Outgoing {
    /// The next bytes; none after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        let Some(mut sealer) = self.sealer.take() else {
            return Ok(None);
        };
        let (sealer, piece) = blocking(move || {
            let mut piece = Vec::with_capacity(PIECE);
            while piece.len() < PIECE {
                match sealer.next()? {
                    Some(chunk) => piece.extend_from_slice(&chunk),
                    None => return Ok((None, piece)),
                }
            }
            Ok((Some(sealer), piece))
        })
        .await?;
        self.sealer = sealer;
        Ok((!piece.is_empty()).then_some(piece))
    }
}
