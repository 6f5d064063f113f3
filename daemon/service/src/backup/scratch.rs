//! A place in the state directory for what is not needed for long: ciphertext alone, for the daemon's user alone.

use std::fs::{DirBuilder, remove_dir_all};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rand_core::RngCore as _;

use crate::chance::Chance;
use crate::error::Error;

const DIR: &str = "scratch";
/// What the live database may need meanwhile.
const LEFT_FREE: u64 = 4 << 20;

/// Removed when dropped, whatever came in between; and with the next start, where the process ended before.
#[derive(Debug)]
pub(crate) struct Scratch(Option<PathBuf>);

impl Scratch {
    /// With room for so many bytes, and some left for the live database.
    pub(crate) fn make(state_dir: &Path, bytes: u64, mut chance: Chance) -> Result<Self, Error> {
        let name = hex::encode(chance.next_u64().to_be_bytes());
        let path = state_dir.join(DIR).join(name);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|error| failed(&error))?;
        let scratch = Self(Some(path));
        let free = rustix::fs::statvfs(scratch.path()).map_err(|error| failed(&error.into()))?;
        if free.f_bavail.saturating_mul(free.f_frsize) < bytes.saturating_add(LEFT_FREE) {
            return Err(Error::StorageFull);
        }
        Ok(scratch)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// What lies there has found its place.
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = remove(path)
        {
            tracing::warn!(kind = ?error.kind(), "a scratch place stays until the next start");
        }
    }
}

/// Removes what a process that ended has left. For whoever has the state directory to itself.
pub fn sweep(state_dir: &Path) -> Result<(), Error> {
    remove(&state_dir.join(DIR)).map_err(|error| failed(&error))
}

fn remove(path: &Path) -> io::Result<()> {
    match remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

pub(crate) fn failed(error: &io::Error) -> Error {
    Error::of_files(error, "scratch place")
}
