//! The file keystore: 32 random bytes in a file of their own, readable by the daemon's user alone.
//!
//! It protects a copy of the state directory (a backup, a synchronised home), not a machine in an attacker's hands.

use std::io;
use std::path::{Path, PathBuf};

use super::{KeystoreError, KeystoreSecret, SECRET_LEN, SecretId};
use crate::disk;

/// One file per secret: two accounts may share a directory.
fn path(directory: &Path, id: &SecretId) -> PathBuf {
    directory.join(format!("connectd-{id}.secret"))
}

pub(super) fn save(
    directory: &Path,
    id: &SecretId,
    secret: &KeystoreSecret,
) -> Result<(), KeystoreError> {
    disk::create_dir(directory)
        .and_then(|()| disk::write_new(&path(directory, id), secret.expose()))
        .map_err(KeystoreError::Unavailable)
}

pub(super) fn load(directory: &Path, id: &SecretId) -> Result<KeystoreSecret, KeystoreError> {
    let path = path(directory, id);
    let limit = u64::try_from(SECRET_LEN).expect("a small number");
    if disk::is_exposed(&path).map_err(unavailable)? {
        return Err(KeystoreError::Exposed);
    }
    match disk::read(&path, limit).map_err(unavailable)? {
        Some(bytes) => KeystoreSecret::from_stored(bytes),
        None => Err(KeystoreError::Damaged),
    }
}

pub(super) fn remove(directory: &Path, id: &SecretId) -> Result<(), KeystoreError> {
    disk::remove(&path(directory, id)).map_err(KeystoreError::Unavailable)
}

fn unavailable(error: io::Error) -> KeystoreError {
    if error.kind() == io::ErrorKind::NotFound {
        KeystoreError::Missing
    } else {
        KeystoreError::Unavailable(error)
    }
}
