//! What a use-case can fail with, by what the caller must do about it.

use std::io::ErrorKind;

use connect_store::error::StoreError;
use connect_uplink::error::UplinkError;
use connect_vault::keystore::KeystoreTrouble;

/// Why a value that was given is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Missing,
    Malformed,
    Empty,
    TooShort,
    TooLong,
    OutOfRange,
    TooWeak,
    NotSupported,
    AlreadyEnrolled,
    Expired,
    Mismatch,
    /// The person at the host did not show that it is them.
    NotProven,
    /// What would have to tell does not answer.
    NoAnswer,
    /// It is not what was written.
    Damaged,
    Blocked,
    /// The case is closed.
    Closed,
    /// Only an admin of the group or case may do it.
    NotAnAdmin,
    /// The message's attachment is still on its way to the relay.
    Uploading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the keys are locked")]
    Locked,
    #[error("there is no account")]
    NotEnrolled,
    #[error("this installation was revoked")]
    Revoked,
    #[error("the PIN is wrong, or has to wait")]
    WrongPin {
        retry_after_ms: u64,
        attempts_left: u32,
    },
    #[error("there is no such thing")]
    NotFound,
    #[error("the content is too large")]
    TooLarge,
    #[error("{field} is not allowed: {reason:?}")]
    Invalid { field: &'static str, reason: Reason },
    #[error("the user is not a contact")]
    UnknownContact,
    #[error("the contact's key changed")]
    KeyChangeHold,
    #[error("the contact has no key that is in use")]
    KeyRevoked,
    #[error("it is of another revision than the one that was seen")]
    RevisionConflict,
    #[error("the account does not take part")]
    NotAParticipant,
    #[error("the reference was used for other content")]
    ClientRefConflict,
    #[error("the relay cannot be reached")]
    RelayUnreachable,
    #[error("the relay refused the request")]
    RelayRefused,
    #[error("the relay asks to wait")]
    RateLimited { retry_after_ms: u64 },
    #[error("the relay's TLS key is not a pinned one")]
    PinMismatch,
    #[error("the disk is full")]
    StorageFull,
    #[error("the database or a file cannot be read or written: {0}")]
    StorageFailed(&'static str),
    #[error("the keystore does not give its secret: {0:?}")]
    KeystoreUnavailable(KeystoreTrouble),
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl Error {
    pub const fn invalid(field: &'static str, reason: Reason) -> Self {
        Self::Invalid { field, reason }
    }

    /// What kept a file or directory from being read or written.
    pub(crate) fn of_files(error: &std::io::Error, what: &'static str) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::StorageFull,
            _ => Self::StorageFailed(what),
        }
    }
}

impl From<connect_points::Failed> for Error {
    fn from(_: connect_points::Failed) -> Self {
        Self::StorageFailed("fail point")
    }
}

/// As if the relay were gone just at that point.
pub(crate) fn cut_off(_: connect_points::Failed) -> Error {
    Error::RelayUnreachable
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::StorageFull,
            StoreError::Closed => Self::Locked,
            StoreError::Failed(_) => Self::StorageFailed("database"),
            StoreError::Damaged => Self::StorageFailed("damaged database"),
            StoreError::CannotOpen => Self::StorageFailed("database key"),
            StoreError::NewerSchema => Self::StorageFailed("database of a newer version"),
            StoreError::Inconsistent(what) => Self::StorageFailed(what),
        }
    }
}

impl From<UplinkError> for Error {
    fn from(error: UplinkError) -> Self {
        match error {
            UplinkError::PinMismatch => Self::PinMismatch,
            UplinkError::RateLimited { retry_after_ms } => Self::RateLimited { retry_after_ms },
            UplinkError::Unreachable | UplinkError::CertificateInvalid => Self::RelayUnreachable,
            _ => Self::RelayRefused,
        }
    }
}
