//! Attachments (§3.5, D15): sealed as their bytes come, kept as ciphertext, moved in chunks, opened once all of it agrees.

pub mod download;
pub mod here;
pub mod read;
pub mod upload;

pub(crate) mod background;
pub(crate) mod fetching;
pub(crate) mod sending;
pub(crate) mod told;

mod pace;
mod thumbnail;
mod together;

use std::io;

use connect_core::attachment::{MAX_FILENAME, MAX_MEDIA_TYPE, MAX_SIZE};
use connect_proto::ids::AttachmentId;
use connect_store::attachments::{self, Stored};
use connect_store::database::Tx;

use crate::error::{Error, Reason};
use crate::unlocked::Unlocked;

/// What is said of a file that is to be sent.
#[derive(Clone)]
pub struct Announced {
    /// Bytes.
    pub size: u64,
    pub media_type: String,
    pub filename: String,
}

impl std::fmt::Debug for Announced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Announced({})", self.size)
    }
}

impl Announced {
    fn check(&self) -> Result<(), Error> {
        if self.size > MAX_SIZE {
            return Err(Error::TooLarge);
        }
        if self.filename.len() > MAX_FILENAME {
            return Err(Error::invalid("filename", Reason::TooLong));
        }
        if self.media_type.len() > MAX_MEDIA_TYPE {
            return Err(Error::invalid("media_type", Reason::TooLong));
        }
        let is_type = self.media_type.split_once('/').is_some_and(|(kind, name)| {
            !kind.is_empty() && !name.is_empty() && self.media_type.is_ascii()
        });
        if !is_type {
            return Err(Error::invalid("media_type", Reason::Malformed));
        }
        Ok(())
    }
}

/// One that the app may see: what no message names yet is of the app that began it, and not found by another.
pub(crate) async fn find_for(
    unlocked: &Unlocked,
    app: &str,
    id: AttachmentId,
) -> Result<Stored, Error> {
    attachments::find(&unlocked.store, id)
        .await?
        .filter(|stored| may_see(stored, app))
        .ok_or(Error::NotFound)
}

/// The same within a transaction: nothing comes in between.
async fn find_for_in(tx: &mut Tx, app: &str, id: AttachmentId) -> Result<Stored, Error> {
    attachments::find_in(tx, id)
        .await?
        .filter(|stored| may_see(stored, app))
        .ok_or(Error::NotFound)
}

pub(crate) fn may_see(stored: &Stored, app: &str) -> bool {
    stored.message.is_some() || stored.app == app
}

/// Whether so many more bytes may lie here.
async fn has_room(tx: &mut Tx, unlocked: &Unlocked, bytes: u64) -> Result<bool, Error> {
    let kept = attachments::count_bytes(tx).await?;
    Ok(kept.saturating_add(bytes) <= unlocked.policy().attachments_quota)
}

/// Work with files, and with ciphers that take their time.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| Error::Internal("file work ended early"))?;
    done.map_err(|error| Error::of_files(&error, "attachment"))
}
