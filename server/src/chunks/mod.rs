//! Where the chunks of attachments lie (§8.2.2): an object store. Which of them count is for the database to say.

mod name;
mod s3;
mod unfinished;

use std::collections::HashSet;
use std::error::Error as StdError;
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutPayload};
use parking_lot::Mutex;

use crate::identity::create_private_dir;
use crate::settings;
pub(crate) use name::{AttachmentNumber, Name, Token};

const DIRECTORY: &str = "attachments";

/// A chunk was not written, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    #[error("cannot use the directory {0} for attachments: {1}")]
    Directory(PathBuf, io::Error),
    #[error("cannot read {0}: {1}")]
    File(PathBuf, io::Error),
    #[error("[attachments.s3] of relay.toml: {0}")]
    Setting(String),
    #[error("there is no room for attachments")]
    Full,
    #[error("the store of attachments failed: {0}")]
    Store(Failure),
}

/// What went wrong, in words of ours: those of a store name its objects and repeat what a server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    File(io::ErrorKind),
    #[error("the object is not there")]
    NotFound,
    #[error("the store refuses the credentials, or what they may do")]
    NotAllowed,
    #[error("the store cannot be reached, or does not do what it should")]
    Other,
}

impl From<Error> for ChunkError {
    fn from(error: Error) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(error_here) = cause {
            if let Some(io) = error_here.downcast_ref::<io::Error>() {
                return match io.kind() {
                    kind if is_full(kind) => Self::Full,
                    kind => Self::Store(Failure::File(kind)),
                };
            }
            cause = error_here.source();
        }
        Self::Store(match error {
            Error::NotFound { .. } => Failure::NotFound,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Failure::NotAllowed,
            _ => Failure::Other,
        })
    }
}

const fn is_full(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// The chunks of all attachments.
pub(crate) struct Chunks {
    store: Arc<dyn ObjectStore>,
    /// Where it is one.
    directory: Option<PathBuf>,
    /// Objects that are being written, or whose row is: the database may not know them yet.
    writing: Arc<Mutex<HashSet<Name>>>,
    /// Chunks that the database knows and that were not found.
    missing: AtomicU64,
}

/// What the store would tell of itself has its credentials in it.
impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chunks(..)")
    }
}

/// An object that no orphan's fate may befall, until this is dropped.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) name: Name,
    all: Arc<Mutex<HashSet<Name>>>,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.all.lock().remove(&self.name);
    }
}

impl Chunks {
    /// A directory of this machine's, or a bucket.
    pub(crate) fn open(
        settings: &settings::Attachments,
        state_dir: &FilePath,
    ) -> Result<Self, ChunkError> {
        match (&settings.s3, settings.directory.as_deref()) {
            (Some(_), Some(_)) => Err(ChunkError::Setting("there is a directory too".to_owned())),
            (Some(s3), None) => Ok(Self::of(Arc::new(s3::open(s3, state_dir)?), None)),
            (None, named) => Self::in_directory(named, state_dir),
        }
    }

    /// Both its files and their names are durable before a write returns.
    fn in_directory(named: Option<&FilePath>, state_dir: &FilePath) -> Result<Self, ChunkError> {
        let directory = state_dir.join(named.unwrap_or(FilePath::new(DIRECTORY)));
        create_private_dir(&directory)
            .map_err(|error| ChunkError::Directory(directory.clone(), error))?;
        let store = LocalFileSystem::new_with_prefix(&directory)?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(Self::of(Arc::new(store), Some(directory)))
    }

    fn of(store: Arc<dyn ObjectStore>, directory: Option<PathBuf>) -> Self {
        Self {
            store,
            directory,
            writing: Arc::default(),
            missing: AtomicU64::default(),
        }
    }

    pub(crate) fn begin(&self, attachment: AttachmentNumber, index: u32) -> Writing {
        let name = Name::fresh(attachment, index);
        self.writing.lock().insert(name);
        Writing {
            name,
            all: Arc::clone(&self.writing),
        }
    }

    /// When this returns, the chunk outlives a power cut.
    pub(crate) async fn write(&self, writing: &Writing, bytes: Bytes) -> Result<(), ChunkError> {
        let payload = PutPayload::from_bytes(bytes);
        self.store.put(&writing.name.path(), payload).await?;
        Ok(())
    }

    /// None where it is not there, though the database says so: its owner may put it again.
    pub(crate) async fn read(&self, name: Name) -> Result<Option<Bytes>, ChunkError> {
        match self.store.get(&name.path()).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(Error::NotFound { .. }) => {
                self.note_missing();
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// As long as it should be.
    pub(crate) async fn holds(&self, name: Name, size: usize) -> Result<bool, ChunkError> {
        match self.store.head(&name.path()).await {
            Ok(found) if found.size == size as u64 => Ok(true),
            Ok(_) | Err(Error::NotFound { .. }) => {
                self.note_missing();
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What is gone already counts as removed.
    pub(crate) async fn remove(&self, names: Vec<Name>) -> Result<(), ChunkError> {
        let paths: Vec<_> = names.iter().map(|name| Ok(name.path())).collect();
        let mut removed = self.store.delete_stream(stream::iter(paths).boxed());
        while let Some(one) = removed.next().await {
            match one {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How many chunks were missed so far.
    pub(crate) fn missing(&self) -> u64 {
        self.missing.load(Ordering::Relaxed)
    }

    /// Once: whoever asks for it again and again must not fill the log.
    pub(crate) fn note_missing(&self) {
        if self.missing.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "a chunk is not where the database says; see connect_relay_chunks_missing_total"
            );
        }
    }

    /// In which all that is ours lies; some may be empty.
    pub(crate) async fn folders(&self) -> Result<Vec<Path>, ChunkError> {
        Ok(self.store.list_with_delimiter(None).await?.common_prefixes)
    }

    /// The objects of ours in one of the folders.
    pub(crate) async fn listed(&self, folder: &Path) -> Result<Vec<Name>, ChunkError> {
        let objects: Vec<_> = self.store.list(Some(folder)).try_collect().await?;
        let names = objects.iter().map(|object| Name::parse(&object.location));
        Ok(names.flatten().collect())
    }

    pub(crate) fn is_written(&self, name: &Name) -> bool {
        self.writing.lock().contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_without_the_store_s_own_words() {
        let path = "4d/77/3-00112233445566cc";
        let failed = |kind| Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(io::Error::new(kind, path)),
        };
        let refused = Error::PermissionDenied {
            path: path.to_owned(),
            source: "AccessKeyId".into(),
        };
        for error in [
            failed(io::ErrorKind::StorageFull),
            failed(io::ErrorKind::PermissionDenied),
            refused,
        ] {
            let told = ChunkError::from(error);
            let told = format!("{told} {told:?}");
            assert!(!told.contains("4d/77") && !told.contains("AccessKeyId"));
        }
        let full = ChunkError::from(failed(io::ErrorKind::StorageFull));
        assert!(matches!(full, ChunkError::Full));
    }
}
