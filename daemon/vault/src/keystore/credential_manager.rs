//! The Windows Credential Manager: one generic credential per secret, under DPAPI, on this machine alone.

use std::collections::HashMap;
use std::io;

use keyring_core::api::CredentialStoreApi as _;
use keyring_core::{Entry, Error};
use windows_native_keyring_store::Store;
use zeroize::Zeroizing;

use super::{KeystoreError, KeystoreSecret, SecretId, Shelf};

const SERVICE: &str = "connectd";

pub(super) struct CredentialManager;

impl Shelf for CredentialManager {
    fn load(&self, id: &SecretId) -> Result<KeystoreSecret, KeystoreError> {
        let bytes = entry(id)?.get_secret().map_err(refused)?;
        KeystoreSecret::from_stored(Zeroizing::new(bytes))
    }

    fn save(&self, id: &SecretId, secret: &KeystoreSecret) -> Result<(), KeystoreError> {
        entry(id)?.set_secret(secret.expose()).map_err(refused)
    }

    fn remove(&self, id: &SecretId) -> Result<(), KeystoreError> {
        match entry(id)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(refused(error)),
        }
    }
}

fn entry(id: &SecretId) -> Result<Entry, KeystoreError> {
    // `Enterprise`, the default, roams with the profile.
    let here = HashMap::from([("persistence", "Local")]);
    Store::new()
        .and_then(|store| store.build(SERVICE, &id.to_string(), Some(&here)))
        .map_err(refused)
}

/// The error's own data may be the secret: only its kind goes on.
fn refused(error: Error) -> KeystoreError {
    let what = match error {
        Error::NoEntry => return KeystoreError::Missing,
        Error::BadDataFormat(mut bytes, _) | Error::BadEncoding(mut bytes) => {
            zeroize::Zeroize::zeroize(&mut bytes);
            return KeystoreError::Damaged;
        }
        Error::NoStorageAccess(_) => "the Credential Manager cannot be reached",
        _ => "the Credential Manager refused",
    };
    KeystoreError::Unavailable(io::Error::other(what))
}
