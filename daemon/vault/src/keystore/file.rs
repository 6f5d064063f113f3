//! The file keystore: 32 random bytes in a file of their own, readable by the daemon's user alone.
//!
//! It protects a copy of the state directory (a backup, a synchronised home), not a machine in an attacker's hands.

use std::io;
use std::path::{Path, PathBuf};

use super::secret::SECRET_LEN;
use super::{KeystoreError, KeystoreSecret, SecretId, Shelf};
use crate::disk;

pub(super) struct FileShelf<'a> {
    pub(super) directory: &'a Path,
}

impl FileShelf<'_> {
    /// One file per secret: two accounts may share a directory.
    fn path(&self, id: &SecretId) -> PathBuf {
        self.directory.join(format!("connectd-{id}.secret"))
    }
}

impl Shelf for FileShelf<'_> {
    fn load(&self, id: &SecretId) -> Result<KeystoreSecret, KeystoreError> {
        let path = self.path(id);
        let limit = u64::try_from(SECRET_LEN).expect("a small number");
        if disk::is_exposed(&path).map_err(unavailable)? {
            return Err(KeystoreError::Exposed);
        }
        match disk::read(&path, limit).map_err(unavailable)? {
            Some(bytes) => KeystoreSecret::from_stored(bytes),
            None => Err(KeystoreError::Damaged),
        }
    }

    fn save(&self, id: &SecretId, secret: &KeystoreSecret) -> Result<(), KeystoreError> {
        disk::create_dir(self.directory)
            .and_then(|()| disk::write_new(&self.path(id), secret.expose()))
            .map_err(KeystoreError::Unavailable)
    }

    fn remove(&self, id: &SecretId) -> Result<(), KeystoreError> {
        disk::remove(&self.path(id)).map_err(KeystoreError::Unavailable)
    }
}

fn unavailable(error: io::Error) -> KeystoreError {
    if error.kind() == io::ErrorKind::NotFound {
        KeystoreError::Missing
    } else {
        KeystoreError::Unavailable(error)
    }
}
