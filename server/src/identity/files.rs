//! Files of the state directory: private from their first byte, whole or absent, never replaced.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::InitError;

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};

pub(super) fn create_dir(path: &Path) -> Result<(), InitError> {
    create_private_dir(path).map_err(|error| InitError::File(path.to_owned(), error))
}

/// With those above it that are missing; a new one is its owner's alone.
pub(crate) fn create_private_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(path)
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, InitError> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| InitError::File(path.to_owned(), error))
}

/// What the file holds; where there is none, what `make` makes is written first.
pub(super) fn read_or_create(
    path: &Path,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, InitError>,
) -> Result<Zeroizing<Vec<u8>>, InitError> {
    if path.exists() {
        return read(path);
    }
    let content = make()?;
    write_new(path, &content).map_err(|error| InitError::File(path.to_owned(), error))?;
    Ok(content)
}

/// Opens a file for reading and writing; a new one is its owner's alone.
pub(crate) fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path)
}

/// Written beside its place and synced, then linked into it: linking, unlike renaming, never replaces a file.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    if let Err(error) = fs::remove_file(&beside)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::hard_link(&beside, path)?;
    fs::remove_file(&beside)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}
