//! What can become of a call.

use connect_api::errors::{ErrorCode, ErrorData};
use connect_ipc::socket::ConnectError;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum CallError {
    /// The daemon says no; `data` says more about why.
    #[error("{}", code.message())]
    Daemon { code: ErrorCode, data: ErrorData },
    /// The connection was lost while the call was in flight. The daemon may or may not have done it.
    #[error("the connection was lost before the answer came")]
    Disconnected,
    /// There is no connection, so nothing was sent.
    #[error("the daemon cannot be reached: {0}")]
    Unreachable(#[from] ConnectError),
    /// There was no answer in time. The daemon may still do it.
    #[error("there was no answer in time")]
    Timeout,
    /// What came is not an answer of this contract.
    #[error("the answer is not one of this contract")]
    Protocol,
}

impl CallError {
    /// The daemon's code, where it was the daemon that said no.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Daemon { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether waiting may help, for something that only reads: a daemon that is not there yet, or is locked.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Disconnected | Self::Unreachable(ConnectError::NotRunning) | Self::Timeout => {
                true
            }
            Self::Unreachable(_) | Self::Protocol => false,
            Self::Daemon { code, .. } => matches!(
                code,
                ErrorCode::Locked
                    | ErrorCode::NotEnrolled
                    | ErrorCode::Timeout
                    | ErrorCode::RateLimited
                    | ErrorCode::StorageFull
                    | ErrorCode::StorageFailed
                    | ErrorCode::KeystoreUnavailable
                    | ErrorCode::Internal
            ),
        }
    }
}
