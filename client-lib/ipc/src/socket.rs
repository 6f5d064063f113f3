//! Listening, connecting and knowing the peer; each system's own file holds the functions, under the same names.

use std::io;

use thiserror::Error;

#[cfg(unix)]
pub use crate::unix::{Listener, ReadHalf, Stream, WriteHalf, connect, listen, own_uid};
#[cfg(windows)]
pub use crate::windows::{Listener, ReadHalf, Stream, WriteHalf, connect, listen, own_uid};

#[cfg(unix)]
pub(crate) use crate::unix::{service_path, user_path};
#[cfg(windows)]
pub(crate) use crate::windows::{service_path, user_path};

/// Whom the file system lets through to the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The daemon's own user: directory 0700, socket 0600.
    User,
    /// The daemon's user and group: directory 0750, socket 0660.
    Group,
}

/// Who is on the other side, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    /// For the log only: a process id may be used again.
    pub pid: Option<u32>,
}

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
