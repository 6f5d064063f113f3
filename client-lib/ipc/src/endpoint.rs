//! Where a daemon listens: the path of a Unix socket, or the name of a named pipe.

use std::fmt;
use std::path::{Path, PathBuf};

#[cfg(unix)]
#[path = "endpoint/unix.rs"]
mod places;
#[cfg(windows)]
#[path = "endpoint/windows.rs"]
mod places;

/// The path of a Unix socket; on Windows `\\.\pipe\…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(PathBuf);

impl Endpoint {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where a daemon listens that serves the user who started it: `$XDG_RUNTIME_DIR/connectd/connectd.sock`.
    ///
    /// `None` without such a directory: a socket in a folder that others can write to is never guessed.
    pub fn default_for_user() -> Option<Self> {
        places::user_path().map(Self)
    }

    /// Where a daemon listens that the system started: `/run/connectd/connectd.sock`.
    pub fn default_for_service() -> Self {
        Self(places::service_path())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
