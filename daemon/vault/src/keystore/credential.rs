//! The systemd keystore: a credential that the service manager decrypts for the unit alone (`LoadCredentialEncrypted=`).
//!
//! It is read, never written: the administrator makes it, once for the host.

use std::io;
use std::path::Path;

use super::secret::SECRET_LEN;
use super::{KeystoreError, KeystoreSecret};
use crate::disk;

/// The credential's name in the unit.
pub const CREDENTIAL: &str = "connectd.keystore";

/// For the administrator whose unit has none.
pub const HOW_TO_MAKE: &str = "make it with `mkdir -p -m 700 /etc/credstore.encrypted && head -c 32 /dev/urandom | systemd-creds encrypt --name=connectd.keystore - \
    /etc/credstore.encrypted/connectd.keystore`, and name it in the unit: \
    LoadCredentialEncrypted=connectd.keystore";

pub(super) struct Credential<'a> {
    pub(super) directory: Option<&'a Path>,
}

impl Credential<'_> {
    pub(super) fn load(&self) -> Result<KeystoreSecret, KeystoreError> {
        let directory = self.directory.ok_or(KeystoreError::NoCredential)?;
        let limit = u64::try_from(SECRET_LEN).expect("a small number");
        // No look at the mode: systemd may give the unit's user an access list, which shows as the group's rights.
        match disk::read(&directory.join(CREDENTIAL), limit) {
            Ok(Some(bytes)) => KeystoreSecret::from_stored(bytes),
            Ok(None) => Err(KeystoreError::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeystoreError::NoCredential)
            }
            Err(error) => Err(KeystoreError::Unavailable(error)),
        }
    }
}
