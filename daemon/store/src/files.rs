//! The attachments' ciphertext beside the database: one private file each, under a name that tells nothing.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_core::CryptoRngCore;

/// A file's name: random, so that nobody who lists the directory learns an attachment's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName(pub(crate) [u8; 16]);

impl FileName {
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        let mut name = [0; 16];
        rng.fill_bytes(&mut name);
        Self(name)
    }
}

/// The directory. It is made with its first file. Every call blocks.
#[derive(Debug, Clone)]
pub struct Files(PathBuf);

impl Files {
    /// Of the account in this directory.
    pub fn of(account: &Path) -> Self {
        Self(account.join("attachments"))
    }

    fn path(&self, name: FileName) -> PathBuf {
        self.0.join(hex::encode(name.0))
    }

    /// A new file, whose name is durable; there must be none under it.
    pub fn create(&self, name: FileName) -> io::Result<Kept> {
        let made = fs::DirBuilder::new().mode(0o700).create(&self.0);
        match made {
            Ok(()) => sync_dir(self.0.parent().unwrap_or(&self.0))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let mut options = File::options();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(self.path(name))?;
        sync_dir(&self.0)?;
        Ok(Kept(Arc::new(file)))
    }

    pub fn open(&self, name: FileName) -> io::Result<Kept> {
        let file = File::options()
            .read(true)
            .write(true)
            .open(self.path(name))?;
        Ok(Kept(Arc::new(file)))
    }

    /// The file, made where there is none; a transfer that was cut off goes on in it.
    pub fn open_or_create(&self, name: FileName) -> io::Result<Kept> {
        match self.open(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(name),
            opened => opened,
        }
    }

    /// It is no error if there is none.
    pub fn remove(&self, name: FileName) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Those that are there.
    pub fn list(&self) -> io::Result<BTreeSet<FileName>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries?,
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let mut name = [0; 16];
            let entry = entry?.file_name();
            if hex::decode_to_slice(entry.as_encoded_bytes(), &mut name).is_ok() {
                names.insert(FileName(name));
            }
        }
        Ok(names)
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// An open file. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Kept(Arc<File>);

impl Kept {
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    /// Exactly so many bytes, or an error.
    pub fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.0.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    pub fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// What was written is durable once this returns.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_as_it_was_written_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::of(dir.path());
        assert_eq!(files.list().unwrap(), BTreeSet::new());
        let (one, other) = (FileName([1; 16]), FileName([2; 16]));
        let kept = files.create(one).unwrap();
        kept.write_at(b"two", 3).unwrap();
        kept.write_at(b"one", 0).unwrap();
        kept.sync().unwrap();
        drop(files.create(other).unwrap());
        assert_eq!(
            files.create(one).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(files.list().unwrap(), BTreeSet::from([one, other]));
        files.remove(other).unwrap();
        let again = files.open_or_create(one).unwrap();
        assert_eq!(again.read_at(1, 4).unwrap(), b"netw");
        assert_eq!(again.len().unwrap(), 6);
        assert!(again.read_at(3, 4).is_err());
        assert_eq!(
            files.open(other).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        files.remove(one).unwrap();
        files.remove(one).unwrap();
        assert_eq!(
            fs::read_dir(dir.path().join("attachments"))
                .unwrap()
                .count(),
            0
        );
    }
}
