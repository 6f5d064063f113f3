//! Why a socket is not made, or not reached.

use std::io;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum ListenError {
    /// Someone answers there: another daemon runs, and its socket stays.
    #[error("another daemon listens there")]
    InUse,
    /// Something else has this name, and it is not ours to remove.
    #[error("there is a file of this name that is not a socket")]
    NotASocket,
    #[error("the socket cannot be made: {0}")]
    Io(#[from] io::Error),
}

#[derive(Debug, Error)]
pub enum ConnectError {
    /// There is no socket, or nobody listens on it.
    #[error("no daemon listens there")]
    NotRunning,
    /// The file system does not let us through.
    #[error("the socket belongs to someone else")]
    Forbidden,
    #[error("the socket cannot be reached: {0}")]
    Io(#[source] io::Error),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Self::NotRunning,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Io(error),
        }
    }
}
