//! Everything that can end a command; `exit` gives it a number, `hint` says what to do next.

use std::io;
use std::path::PathBuf;

use connect_api::messages::StateReason;
use connect_client::endpoint::ConnectError;
use connect_client::error::CallError;
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Call(#[from] CallError),
    /// The command line makes no sense, beyond what clap can tell.
    #[error("{0}")]
    Usage(String),
    /// What was given is not what it has to be.
    #[error("{0}")]
    Data(&'static str),
    #[error("{} cannot be read: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} cannot be written: {source}", path.display())]
    Written { path: PathBuf, source: io::Error },
    /// The message needs a decision before it goes out.
    #[error("the message is held{}", because(*.0))]
    Held(Option<StateReason>),
    /// The message was given up.
    #[error("the message was not delivered{}", because(*.0))]
    Undelivered(Option<StateReason>),
    /// It was sent, but not far enough in the time that was given.
    #[error("the message is queued, but did not get that far in time")]
    NotYet,
    #[error("the answer cannot be written: {0}")]
    Output(#[source] io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// A name for programs: the daemon's where it is the daemon's error.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Call(CallError::Daemon { code, .. }) => code.name(),
            Self::Call(CallError::Disconnected) => "disconnected",
            Self::Call(CallError::Unreachable(ConnectError::NotRunning)) => "not_running",
            Self::Call(CallError::Unreachable(ConnectError::Forbidden)) => "socket_forbidden",
            Self::Call(CallError::Unreachable(ConnectError::Io(_))) => "socket_failed",
            Self::Call(CallError::Timeout) => "no_answer",
            Self::Call(CallError::Protocol) => "protocol",
            Self::Usage(_) => "usage",
            Self::Data(_) => "data",
            Self::File { .. } | Self::Written { .. } => "file",
            Self::Held(_) => "held",
            Self::Undelivered(_) => "undelivered",
            Self::NotYet => "not_yet",
            Self::Output(_) => "output",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether it needs no words: whoever reads our output has seen enough, or pressed Ctrl-C.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            _ => false,
        }
    }
}

fn because(reason: Option<StateReason>) -> String {
    reason.map_or_else(String::new, |reason| {
        format!(": {}", crate::words::reason(reason))
    })
}
