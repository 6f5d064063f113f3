//! Files that a crash left half written: they have a name of their own until they are whole.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path as FilePath, PathBuf};

use object_store::path::Path;
use tokio::task::spawn_blocking;

use super::{ChunkError, Chunks, Name};

impl Chunks {
    /// In one of the folders; the store does not list them. Answers how many there were.
    pub(crate) async fn remove_unfinished(&self, folder: &Path) -> Result<u64, ChunkError> {
        let Some(root) = &self.directory else {
            return Ok(0);
        };
        let directory = root.join(folder.as_ref());
        let failed = |error| ChunkError::Directory(directory.clone(), error);
        let found = {
            let directory = directory.clone();
            spawn_blocking(move || unfinished(&directory))
        };
        let found = found
            .await
            .map_err(std::io::Error::other)
            .and_then(|found| found)
            .map_err(failed)?;
        let mut removed = 0;
        for path in found {
            if self.is_being_finished(root, &path) {
                continue;
            }
            match tokio::fs::remove_file(&path).await {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(removed)
    }

    fn is_being_finished(&self, root: &FilePath, path: &FilePath) -> bool {
        let name = path.strip_prefix(root).ok();
        let name = name.and_then(|name| name.to_str()?.split_once('#'));
        let name = name.and_then(|(name, _)| Name::parse(&Path::from(name)));
        name.is_some_and(|name| self.is_written(&name))
    }
}

/// In the folders of one shard's attachments.
fn unfinished(shard: &FilePath) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for attachment in entries(shard)? {
        if attachment.is_dir() {
            let files = entries(&attachment)?.into_iter();
            found.extend(files.filter(|file| file.file_name().is_some_and(is_unfinished)));
        }
    }
    Ok(found)
}

fn is_unfinished(name: &OsStr) -> bool {
    name.as_encoded_bytes().contains(&b'#')
}

/// Nothing in a directory that is gone meanwhile.
fn entries(directory: &FilePath) -> std::io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
