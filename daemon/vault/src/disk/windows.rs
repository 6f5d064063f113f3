//! What Windows has in the place of modes and directory syncs: the profile's own access list, and a journal.

use std::fs::{DirBuilder, Metadata};
use std::io;
use std::path::Path;

/// Inherits the access list of the directory above, which in a user's profile names that user, SYSTEM and administrators.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
pub(super) fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn is_exposed(_: &Metadata) -> bool {
    false
}
