//! The macOS keychain: one generic password per secret, on this Mac alone.
//!
//! A signed program with the entitlement for it has the data protection keychain, where an item is
//! `AfterFirstUnlockThisDeviceOnly` as in §4.2. Any other has the login keychain, which has no such attribute: open while
//! the user is logged in, and part of a backup of the home directory, under the login password.

use std::io;

use security_framework::access_control::{ProtectionMode, SecAccessControl};
use security_framework::base::Error;
use security_framework::passwords::{
    PasswordOptions, delete_generic_password_options, generic_password,
    set_generic_password_options,
};
use zeroize::Zeroizing;

use super::{KeystoreError, KeystoreSecret, SecretId, Shelf};

const SERVICE: &str = "connectd";
const ITEM_NOT_FOUND: i32 = -25300;
const INTERACTION_NOT_ALLOWED: i32 = -25308;
const MISSING_ENTITLEMENT: i32 = -34018;

pub(super) struct Keychain;

impl Shelf for Keychain {
    fn load(&self, id: &SecretId) -> Result<KeystoreSecret, KeystoreError> {
        let found = generic_password(protected(id)).or_else(|error| match error.code() {
            ITEM_NOT_FOUND | MISSING_ENTITLEMENT => generic_password(of_login(id)),
            _ => Err(error),
        });
        KeystoreSecret::from_stored(Zeroizing::new(found.map_err(refused)?))
    }

    fn save(&self, id: &SecretId, secret: &KeystoreSecret) -> Result<(), KeystoreError> {
        let mut options = protected(id);
        let access = SecAccessControl::create_with_protection(
            Some(ProtectionMode::AccessibleAfterFirstUnlockThisDeviceOnly),
            0,
        );
        options.set_access_control(access.map_err(refused)?);
        set_generic_password_options(secret.expose(), options)
            .or_else(|error| match error.code() {
                MISSING_ENTITLEMENT => set_generic_password_options(secret.expose(), of_login(id)),
                _ => Err(error),
            })
            .map_err(refused)
    }

    fn remove(&self, id: &SecretId) -> Result<(), KeystoreError> {
        for options in [protected(id), of_login(id)] {
            match delete_generic_password_options(options) {
                Err(error) if !matches!(error.code(), ITEM_NOT_FOUND | MISSING_ENTITLEMENT) => {
                    return Err(refused(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn of_login(id: &SecretId) -> PasswordOptions {
    PasswordOptions::new_generic_password(SERVICE, &id.to_string())
}

fn protected(id: &SecretId) -> PasswordOptions {
    let mut options = of_login(id);
    options.use_protected_keychain();
    options.set_access_synchronized(Some(false));
    options
}

fn refused(error: Error) -> KeystoreError {
    match error.code() {
        ITEM_NOT_FOUND => KeystoreError::Missing,
        INTERACTION_NOT_ALLOWED => KeystoreError::KeyringLocked,
        _ => KeystoreError::Unavailable(io::Error::other(error)),
    }
}
