//! The one file that picks error codes. No text of a lower layer passes: serde quotes data, sqlx the database key.

use connect_api::errors::{ErrorCode, ErrorData, Reason};
use connect_service::error::{Error, Reason as ServiceReason};
use connect_service::session::Session;
use connect_vault::keystore::KeystoreTrouble;
use jsonrpsee::types::{ErrorObject, ErrorObjectOwned, Id};

use crate::rpc::context::Context;

/// A method failed: the code, and what goes beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: ErrorCode,
    field: Option<&'static str>,
    reason: Option<Reason>,
    retry_after_ms: Option<u64>,
    attempts_left: Option<u32>,
    /// For the log alone, and never content.
    detail: Option<&'static str>,
}

impl Failure {
    pub(crate) const fn new(code: ErrorCode) -> Self {
        Self {
            code,
            field: None,
            reason: None,
            retry_after_ms: None,
            attempts_left: None,
            detail: None,
        }
    }

    pub(crate) const fn invalid(field: &'static str, reason: Reason) -> Self {
        let mut failure = Self::new(ErrorCode::Invalid);
        failure.field = Some(field);
        failure.reason = Some(reason);
        failure
    }

    /// The parameters do not have the method's shape.
    pub(crate) const fn params(field: Option<&'static str>, reason: Reason) -> Self {
        let mut failure = Self::new(ErrorCode::InvalidParams);
        failure.field = field;
        failure.reason = Some(reason);
        failure
    }

    pub(crate) const fn internal(detail: &'static str) -> Self {
        let mut failure = Self::new(ErrorCode::Internal);
        failure.detail = Some(detail);
        failure
    }

    pub(crate) const fn retry_after(code: ErrorCode, retry_after_ms: u64) -> Self {
        let mut failure = Self::new(code);
        failure.retry_after_ms = Some(retry_after_ms);
        failure
    }

    pub(crate) const fn code(&self) -> ErrorCode {
        self.code
    }

    /// Calls meet the disk first; health tells of it too.
    pub(crate) fn note(&self, session: &Session) {
        match self.code {
            ErrorCode::StorageFull => session.note_storage(Error::StorageFull),
            ErrorCode::StorageFailed => session.note_storage(Error::StorageFailed("a call")),
            _ => {}
        }
    }

    pub(crate) fn into_error(self, context: &Context, method: &'static str) -> ErrorObjectOwned {
        let data = ErrorData {
            code: self.code,
            r#ref: context.next_ref(),
            field: self.field.map(str::to_owned),
            reason: self.reason,
            retry_after_ms: self.retry_after_ms,
            attempts_left: self.attempts_left,
        };
        match self.code {
            ErrorCode::Internal | ErrorCode::StorageFull | ErrorCode::StorageFailed => {
                tracing::error!(
                    r#ref = data.r#ref,
                    code = self.code.name(),
                    method,
                    detail = self.detail,
                    "a call failed"
                );
            }
            _ => {
                tracing::debug!(
                    r#ref = data.r#ref,
                    code = self.code.name(),
                    method,
                    "a call was refused"
                );
            }
        }
        error_object(self.code, &data)
    }
}

fn error_object(code: ErrorCode, data: &ErrorData) -> ErrorObjectOwned {
    ErrorObject::owned(code.number(), code.message(), Some(data))
}

/// A whole answer, for what never came to a method.
pub(crate) fn error_line(context: &Context, id: &Id<'_>, code: ErrorCode) -> String {
    let data = ErrorData {
        code,
        r#ref: context.next_ref(),
        field: None,
        reason: None,
        retry_after_ms: None,
        attempts_left: None,
    };
    tracing::debug!(
        r#ref = data.r#ref,
        code = code.name(),
        "a request was refused"
    );
    serde_json::json!({"jsonrpc": "2.0", "id": id, "error": error_object(code, &data)}).to_string()
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self::new(code)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Locked => ErrorCode::Locked,
            Error::NotEnrolled => ErrorCode::NotEnrolled,
            Error::Revoked => ErrorCode::InstallationRevoked,
            Error::NotFound => ErrorCode::NotFound,
            Error::TooLarge => ErrorCode::TooLarge,
            Error::UnknownContact => ErrorCode::UnknownContact,
            Error::KeyChangeHold => ErrorCode::KeyChangeHold,
            Error::KeyRevoked => ErrorCode::KeyRevoked,
            Error::RevisionConflict => ErrorCode::RevisionConflict,
            Error::NotAParticipant => ErrorCode::NotAParticipant,
            Error::ClientRefConflict => ErrorCode::ClientRefConflict,
            Error::RelayUnreachable => ErrorCode::RelayUnreachable,
            Error::RelayRefused => ErrorCode::RelayRefused,
            Error::PinMismatch => ErrorCode::PinMismatch,
            Error::StorageFull => ErrorCode::StorageFull,
            Error::KeystoreUnavailable(trouble) => {
                let mut failure = Self::new(ErrorCode::KeystoreUnavailable);
                failure.reason = Some(from_trouble(trouble));
                return failure;
            }
            Error::Invalid { field, reason } => return Self::invalid(field, from_reason(reason)),
            Error::RateLimited { retry_after_ms } => {
                return Self::retry_after(ErrorCode::RateLimited, retry_after_ms);
            }
            Error::WrongPin {
                retry_after_ms,
                attempts_left,
            } => {
                let mut failure = Self::retry_after(ErrorCode::WrongPin, retry_after_ms);
                failure.attempts_left = Some(attempts_left);
                return failure;
            }
            Error::StorageFailed(detail) => {
                let mut failure = Self::new(ErrorCode::StorageFailed);
                failure.detail = Some(detail);
                return failure;
            }
            Error::Internal(detail) => return Self::internal(detail),
        };
        Self::new(code)
    }
}

const fn from_trouble(trouble: KeystoreTrouble) -> Reason {
    match trouble {
        KeystoreTrouble::OtherKind => Reason::OtherKeystore,
        KeystoreTrouble::Missing => Reason::SecretMissing,
        KeystoreTrouble::Exposed => Reason::SecretExposed,
        KeystoreTrouble::Damaged => Reason::SecretDamaged,
        KeystoreTrouble::KeyringLocked => Reason::KeyringLocked,
        KeystoreTrouble::NoKeyring => Reason::NoKeyring,
        KeystoreTrouble::NoKeyringService => Reason::NoKeyringService,
        KeystoreTrouble::TimedOut => Reason::NoAnswer,
        KeystoreTrouble::NoCredential => Reason::NoCredential,
        KeystoreTrouble::Unavailable => Reason::Failed,
    }
}

fn from_reason(reason: ServiceReason) -> Reason {
    match reason {
        ServiceReason::Missing => Reason::Missing,
        ServiceReason::Malformed => Reason::Malformed,
        ServiceReason::Empty => Reason::Empty,
        ServiceReason::TooShort => Reason::TooShort,
        ServiceReason::TooLong => Reason::TooLong,
        ServiceReason::OutOfRange => Reason::OutOfRange,
        ServiceReason::TooWeak => Reason::TooWeak,
        ServiceReason::NotSupported => Reason::NotSupported,
        ServiceReason::AlreadyEnrolled => Reason::AlreadyEnrolled,
        ServiceReason::Expired => Reason::Expired,
        ServiceReason::Mismatch => Reason::Mismatch,
        ServiceReason::NotProven => Reason::NotProven,
        ServiceReason::NoAnswer => Reason::NoAnswer,
        ServiceReason::Damaged => Reason::Damaged,
        ServiceReason::Blocked => Reason::Blocked,
        ServiceReason::Closed => Reason::Closed,
        ServiceReason::NotAnAdmin => Reason::NotAnAdmin,
        ServiceReason::Uploading => Reason::Uploading,
    }
}
