//! Opens a backup as its bytes come: nothing of a chunk is written before the chunk is known to be right, in its place.

use std::io::{self, Write};

use connect_core::backup::{Place, SEALED_CHUNK, open_chunk};
use connect_core::boxes::CannotOpen;
use connect_core::secret::BackupKey;
use connect_core::wrap::{KeyPurpose, unwrap};
use connect_proto::hash::{Digest, sha256};
use connect_vault::error::RecoverError;
use connect_vault::keys::Keys;
use connect_vault::recovery::RecoveryKey;
use sha2::{Digest as _, Sha256};

use super::format::{Header, Manifest, Unreadable};

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("what was opened cannot be written: {0}")]
    Io(#[from] io::Error),
}

pub struct Opener {
    recovery_key: RecoveryKey,
    /// Sealed bytes that are still to come after `waiting`, or stand in it.
    left: u64,
    /// Came, and is not whole yet.
    waiting: Vec<u8>,
    opened: Option<Opened>,
}

/// What comes after the header.
struct Opened {
    keys: Keys,
    key: BackupKey,
    header: Digest,
    /// Chunks so far.
    index: u64,
    manifest: Option<Manifest>,
    database: Sha256,
    database_bytes: u64,
}

impl Opener {
    /// For a backup of `size` bytes.
    pub fn new(recovery_key: RecoveryKey, size: u64) -> Self {
        Self {
            recovery_key,
            left: size,
            waiting: Vec::new(),
            opened: None,
        }
    }

    /// Takes the next bytes, and writes what of the database they complete.
    pub fn push(&mut self, bytes: &[u8], to: &mut impl Write) -> Result<(), ReadError> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() as u64 > self.left {
            return Err(Unreadable::Damaged.into());
        }
        let mut used = 0;
        loop {
            let waiting = &self.waiting[used..];
            let Some(opened) = &mut self.opened else {
                let Some((header, length)) = Header::read(waiting)? else {
                    break;
                };
                let digest = sha256(&waiting[..length]);
                self.opened = Some(Opened::new(&header, digest, &self.recovery_key)?);
                self.left -= length as u64;
                used += length;
                continue;
            };
            let length = usize::try_from(self.left).map_or(SEALED_CHUNK, |n| n.min(SEALED_CHUNK));
            if length == 0 || waiting.len() < length {
                break;
            }
            let is_last = length as u64 == self.left;
            opened.take(&waiting[..length], is_last, to)?;
            self.left -= length as u64;
            used += length;
        }
        self.waiting.drain(..used);
        Ok(())
    }

    /// All of it came: the keys as they were, and what the backup says of itself.
    pub fn finish(self) -> Result<(Keys, Manifest), Unreadable> {
        let opened = match self.opened {
            Some(opened) if self.left == 0 => opened,
            Some(_) => return Err(Unreadable::Damaged),
            None => return Err(Unreadable::NotABackup),
        };
        let manifest = opened.manifest.ok_or(Unreadable::Damaged)?;
        let digest: Digest = opened.database.finalize().into();
        if opened.database_bytes != manifest.database_bytes || digest != manifest.database_sha256 {
            return Err(Unreadable::Damaged);
        }
        Ok((opened.keys, manifest))
    }
}

impl Opened {
    fn new(header: &Header, digest: Digest, key: &RecoveryKey) -> Result<Self, Unreadable> {
        let keys = header.keys.open(key).map_err(|error| match error {
            RecoverError::WrongKey | RecoverError::NotEnrolled => Unreadable::WrongKey,
            RecoverError::Vault(_) => Unreadable::Damaged,
        })?;
        let wrapped = &header.backup_key;
        let key = unwrap(
            &keys.local_file_key,
            KeyPurpose::Backup,
            &keys.owner,
            wrapped,
        )
        .map_err(|CannotOpen| Unreadable::Damaged)?;
        Ok(Self {
            key: BackupKey::from_bytes(&key),
            keys,
            header: digest,
            index: 0,
            manifest: None,
            database: Sha256::new(),
            database_bytes: 0,
        })
    }

    fn take(&mut self, sealed: &[u8], is_last: bool, to: &mut impl Write) -> Result<(), ReadError> {
        self.index += 1;
        let place = Place {
            index: self.index,
            is_last,
        };
        let content =
            open_chunk(&self.key, place, sealed).map_err(|CannotOpen| Unreadable::Damaged)?;
        let begin = if self.manifest.is_some() {
            0
        } else {
            let (manifest, begin) = Manifest::read(&content)?;
            if manifest.header != self.header {
                return Err(Unreadable::Damaged.into());
            }
            self.manifest = Some(manifest);
            begin
        };
        let database = &content[begin..];
        self.database.update(database);
        self.database_bytes += database.len() as u64;
        Ok(to.write_all(database)?)
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener(..)")
    }
}
