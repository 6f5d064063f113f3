//! From a PIN to keys, and what the caller is told where there are none.

use connect_vault::attempts::host_boot_time;
use connect_vault::keys::Keys;
use connect_vault::vault::{PinRefused, UnlockError, Vault, VaultError};
use zeroize::Zeroizing;

use crate::error::{Error, Reason};

/// Argon2 takes its time and memory: off the runtime's threads, and one at a time by `changing`.
pub(crate) async fn open_vault(vault: Vault, pin: Zeroizing<String>) -> Result<Keys, Error> {
    let opened = tokio::task::spawn_blocking(move || {
        let now = host_boot_time().map_err(|_| Error::Internal("boot clock"))?;
        vault.unlock(&pin, &now).map_err(from_unlock)
    });
    opened
        .await
        .map_err(|_| Error::Internal("unlocking ended early"))?
}

pub(crate) fn from_unlock(error: UnlockError) -> Error {
    match error {
        UnlockError::WrongPin {
            retry_after_ms,
            attempts_left,
        }
        | UnlockError::Wait {
            retry_after_ms,
            attempts_left,
        } => Error::WrongPin {
            retry_after_ms,
            attempts_left,
        },
        UnlockError::Disabled => Error::WrongPin {
            retry_after_ms: 0,
            attempts_left: 0,
        },
        UnlockError::NotEnrolled => Error::NotEnrolled,
        UnlockError::Keystore(trouble) => Error::KeystoreUnavailable(trouble),
        UnlockError::Damaged => Error::StorageFailed("sealed keys"),
        UnlockError::Full => Error::StorageFull,
        UnlockError::Storage => Error::StorageFailed("key files"),
    }
}

/// `field` is the parameter that the refused PIN came in.
pub(crate) fn from_vault(error: VaultError, field: &'static str) -> Error {
    match error {
        VaultError::Pin(refused) => refused_pin(refused, field),
        VaultError::Keystore(trouble) => Error::KeystoreUnavailable(trouble),
        VaultError::Full => Error::StorageFull,
        VaultError::Exists | VaultError::Damaged | VaultError::Storage => {
            Error::StorageFailed("key files")
        }
    }
}

pub(crate) fn refused_pin(refused: PinRefused, field: &'static str) -> Error {
    let reason = match refused {
        PinRefused::TooShort => Reason::TooShort,
        PinRefused::TooLong => Reason::TooLong,
        PinRefused::TooWeak => Reason::TooWeak,
    };
    Error::invalid(field, reason)
}
