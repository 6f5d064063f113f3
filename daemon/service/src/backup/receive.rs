//! Takes a backup in: opened as it comes, written into a scratch place, and held against what it says of itself.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;

use connect_core::secret::DatabaseKey;
use connect_store::account::{self, Account};
use connect_store::audit::{self, Verdict};
use connect_store::condition::Integrity;
use connect_store::contents;
use connect_store::database::Store;
use connect_store::integrity;
use connect_vault::keys::Keys;
use connect_vault::recovery::RecoveryKey;
use tokio::sync::OwnedMutexGuard;

use super::create::{blocking, take_turn};
use super::format::{Counts, Manifest, Unreadable};
use super::read::{Opener, ReadError};
use super::scratch::{Scratch, failed};
use crate::error::{Error, Reason};
use crate::session::{DATABASE, Session};

/// A backup on its way in.
#[derive(Debug)]
pub struct Incoming {
    /// None once something went wrong.
    writing: Option<(Opener, File)>,
    scratch: Scratch,
    turn: OwnedMutexGuard<()>,
}

/// It came whole: every byte is what was written.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) keys: Keys,
    pub(super) manifest: Manifest,
    pub(super) scratch: Scratch,
    /// Until it is done with.
    _turn: OwnedMutexGuard<()>,
}

/// What its database turned out to hold.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) account: Account,
    pub(super) audit: Verdict,
}

pub async fn begin(session: &Session, key: RecoveryKey, size: u64) -> Result<Incoming, Error> {
    let turn = take_turn(session).await?;
    let scratch = Scratch::make(session.state_dir(), size, session.chance.clone())?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(scratch.path().join(DATABASE))
        .map_err(|error| failed(&error))?;
    Ok(Incoming {
        writing: Some((Opener::new(key, size), file)),
        scratch,
        turn,
    })
}

impl Incoming {
    pub async fn take(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        let (mut opener, mut file) = self
            .writing
            .take()
            .ok_or(Error::Internal("a backup that failed"))?;
        let (writing, taken) = blocking(move || {
            let taken = opener.push(&bytes, &mut file);
            Ok(((opener, file), taken))
        })
        .await?;
        taken.map_err(from_read)?;
        self.writing = Some(writing);
        Ok(())
    }

    /// Nothing more comes.
    pub(super) async fn finish(self) -> Result<Staged, Error> {
        let (opener, file) = self
            .writing
            .ok_or(Error::Internal("a backup that failed"))?;
        let (keys, manifest) = opener.finish().map_err(from_unreadable)?;
        blocking(move || file.sync_all()).await?;
        Ok(Staged {
            keys,
            manifest,
            scratch: self.scratch,
            _turn: self.turn,
        })
    }
}

impl Staged {
    /// The restored database, once all of it is as it should be.
    pub(super) async fn open(&self) -> Result<(Store, Found), Error> {
        let key = DatabaseKey::from_bytes(self.keys.database_key.expose());
        let store = Store::open(&self.scratch.path().join(DATABASE), key).await?;
        match self.compare(&store).await {
            Ok(found) => Ok((store, found)),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    async fn compare(&self, store: &Store) -> Result<Found, Error> {
        if integrity::check(store).await? != Integrity::Ok {
            return Err(damaged());
        }
        let counts: Counts = contents::count(store).await?.into();
        if counts != self.manifest.contents {
            return Err(damaged());
        }
        let account = account::find(store).await?.ok_or_else(damaged)?;
        if account.user_id != self.keys.owner {
            return Err(damaged());
        }
        Ok(Found {
            account,
            audit: audit::verify(store).await?,
        })
    }
}

fn damaged() -> Error {
    from_unreadable(Unreadable::Damaged)
}

fn from_read(error: ReadError) -> Error {
    match error {
        ReadError::Unreadable(unreadable) => from_unreadable(unreadable),
        ReadError::Io(error) => failed(&error),
    }
}

fn from_unreadable(unreadable: Unreadable) -> Error {
    let (field, reason) = match unreadable {
        Unreadable::NotABackup => ("backup", Reason::Malformed),
        Unreadable::Newer => ("backup", Reason::NotSupported),
        Unreadable::WrongKey => ("recovery_key", Reason::Mismatch),
        Unreadable::Damaged => ("backup", Reason::Damaged),
    };
    Error::invalid(field, reason)
}
