//! What can go wrong at the vault's door, named for what the caller must do. What the system said goes into the log.

use std::io;

use crate::keystore::{KeystoreError, KeystoreTrouble};
use crate::pin::PinRefused;

/// Why keys were not sealed, or not removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Remove the account first: an identity is never overwritten.
    #[error("keys are sealed here already")]
    Exists,
    /// Ask for another PIN or passphrase.
    #[error(transparent)]
    Pin(#[from] PinRefused),
    /// `Vault::check_keystore` tells why.
    #[error("the keystore is not available")]
    Keystore(KeystoreTrouble),
    /// Restore the file from a backup, or enroll again.
    #[error("the sealed keys are damaged")]
    Damaged,
    /// Free some space.
    #[error("the disk is full")]
    Full,
    #[error("the vault cannot be read or written")]
    Storage,
}

/// Why keys were not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// Ask again, once the wait is over.
    #[error("the PIN is wrong")]
    WrongPin {
        retry_after_ms: u64,
        attempts_left: u32,
    },
    /// It is too early for another attempt; this one was not evaluated and is not counted.
    #[error("another attempt must wait")]
    Wait {
        retry_after_ms: u64,
        attempts_left: u32,
    },
    /// All attempts are spent; a recovery key or an administrator resets them.
    #[error("unlocking by PIN is disabled")]
    Disabled,
    #[error("no keys are sealed here")]
    NotEnrolled,
    /// `Vault::check_keystore` tells why. It was no attempt.
    #[error("the keystore is not available")]
    Keystore(KeystoreTrouble),
    /// Restore the file from a backup, or enroll again.
    #[error("the sealed keys are damaged")]
    Damaged,
    /// Free some space. It was no attempt: none is evaluated before it is counted.
    #[error("the disk is full")]
    Full,
    #[error("the vault cannot be read or written")]
    Storage,
}

/// Why a PIN was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangePinError {
    /// The old PIN did not open the keys.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The new PIN was not accepted, or not sealed under.
    #[error(transparent)]
    Seal(#[from] VaultError),
}

/// Why a recovery key did not open the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    #[error("no keys are sealed here")]
    NotEnrolled,
    /// Or the account has none: which, an attacker is not told.
    #[error("the recovery key does not open these keys")]
    WrongKey,
    #[error(transparent)]
    Vault(#[from] VaultError),
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl From<io::Error> for VaultError {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "the vault cannot be read or written");
        if is_full(&error) {
            Self::Full
        } else {
            Self::Storage
        }
    }
}

impl From<io::Error> for UnlockError {
    fn from(error: io::Error) -> Self {
        VaultError::from(error).into()
    }
}

impl From<KeystoreError> for VaultError {
    fn from(error: KeystoreError) -> Self {
        tracing::error!(%error, "the keystore does not give the secret");
        match error {
            KeystoreError::Unavailable(error) if is_full(&error) => Self::Full,
            error => Self::Keystore(error.trouble()),
        }
    }
}

impl From<KeystoreError> for UnlockError {
    fn from(error: KeystoreError) -> Self {
        VaultError::from(error).into()
    }
}

/// What reading the sealed file met.
impl From<VaultError> for UnlockError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Keystore(trouble) => Self::Keystore(trouble),
            VaultError::Full => Self::Full,
            VaultError::Storage => Self::Storage,
            VaultError::Damaged | VaultError::Exists | VaultError::Pin(_) => Self::Damaged,
        }
    }
}
