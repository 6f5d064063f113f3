//! One daemon per state directory: a lock that ends with the process, however it ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Held as long as the daemon lives.
#[derive(Debug)]
pub(crate) struct Instance(#[expect(dead_code, reason = "the lock is held by the open file")] File);

#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    #[error("another connectd runs on this state directory")]
    Taken,
    #[error("the state directory cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl Instance {
    pub(crate) fn take(state_dir: &Path) -> Result<Self, InstanceError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state_dir)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(state_dir.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(InstanceError::Taken),
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }
}
