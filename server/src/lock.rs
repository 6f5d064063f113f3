//! One process at a time on a state directory: a relay, or an operator's command while none runs.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use crate::identity;

const FILE: &str = "relay.lock";
/// A command holds the lock for a few milliseconds: a relay that starts just then waits for it.
const PATIENCE: u32 = 20;
const BREATH: Duration = Duration::from_millis(50);

/// The lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another relay runs on {0}")]
    Taken(PathBuf),
    #[error("cannot lock {0}: {1}")]
    File(PathBuf, std::io::Error),
}

/// The lock goes with the file, and with the process, however it ends.
pub(crate) async fn take(state_dir: &Path) -> Result<File, LockError> {
    let path = state_dir.join(FILE);
    let failed = |error| LockError::File(path.clone(), error);
    let file = identity::create_private(&path).map_err(failed)?;
    for _ in 0..PATIENCE {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(BREATH).await,
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(LockError::Taken(state_dir.to_owned()))
}
