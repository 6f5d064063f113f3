//! Files that survive a power cut and that nobody else reads: written beside, synced, renamed, the directory synced.

#[cfg(unix)]
#[path = "disk/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "disk/windows.rs"]
mod system;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use connect_points::{Point, pass};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Ends the name of a file that is still being written.
const SUFFIX: &str = ".new";

/// Creates a directory for its owner alone. An existing one is left as it is.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    system::create_dir(path)
}

/// Whether anyone but the owner may read the file.
pub fn is_exposed(path: &Path) -> io::Result<bool> {
    Ok(system::is_exposed(&fs::metadata(path)?))
}

/// The whole file, or `None` if it is longer than `limit`.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let room = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    fs::File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() < room).then_some(bytes))
}

/// Replaces a file, or makes it: afterwards there is the old content or the new one, never half of it.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = directory_of(path)?;
    let written = write_beside(path, directory, content)?;
    pass(Point::BeforeRename).map_err(io::Error::other)?;
    written.persist(path).map_err(|refused| refused.error)?;
    pass(Point::AfterRename).map_err(io::Error::other)?;
    system::sync_dir(directory)
}

/// Makes a file. One that is there already stays as it is, and is an `AlreadyExists`.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = directory_of(path)?;
    write_beside(path, directory, content)?
        .persist_noclobber(path)
        .map_err(|refused| refused.error)?;
    system::sync_dir(directory)
}

/// Removes a file, and what an interrupted writing of it left behind. Nothing there is as good as removed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let directory = directory_of(path)?;
    if !directory.is_dir() {
        return Ok(());
    }
    sweep(path, directory)?;
    remove_if_there(path)?;
    system::sync_dir(directory)
}

fn write_beside(path: &Path, directory: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    sweep(path, directory)?;
    // The file is created with the mode 0600, never changed to it.
    let mut file = tempfile::Builder::new()
        .prefix(&prefix_of(path)?)
        .suffix(SUFFIX)
        .tempfile_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn sweep(path: &Path, directory: &Path) -> io::Result<()> {
    let prefix = prefix_of(path)?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let inner = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        if inner.is_some_and(|inner| inner.strip_suffix(SUFFIX).is_some()) {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn directory_of(path: &Path) -> io::Result<&Path> {
    path.parent()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

fn prefix_of(path: &Path) -> io::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(|name| format!(".{name}."))
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_never_overwrites_and_a_replaced_one_does() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        write_new(&path, b"one").unwrap();
        let refused = write_new(&path, b"two").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path, 3).unwrap().unwrap().as_slice(), b"one");
        replace(&path, b"three").unwrap();
        assert_eq!(read(&path, 5).unwrap().unwrap().as_slice(), b"three");
        assert!(read(&path, 4).unwrap().is_none());
    }

    #[test]
    fn what_an_interrupted_writing_left_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        fs::write(home.path().join(".file.abc123.new"), b"half").unwrap();
        fs::write(home.path().join(".file2.abc123.new"), b"other").unwrap();
        replace(&path, b"one").unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
        remove(&home.path().join("nowhere").join("file")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn files_and_directories_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("a").join("b");
        create_dir(&directory).unwrap();
        create_dir(&directory).unwrap();
        let path = directory.join("file");
        write_new(&path, b"one").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&path)), (0o700, 0o600));
        assert!(!is_exposed(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(is_exposed(&path).unwrap());
    }
}
