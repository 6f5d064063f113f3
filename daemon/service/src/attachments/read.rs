//! The bytes of an attachment for a client: opened chunk by chunk, and none before all of it has been found to agree.

use std::fmt;
use std::io;
use std::sync::Arc;

use connect_core::attachment::{CHUNK, SEALED_CHUNK, open_chunk, sealed_chunk_len, sealed_size};
use connect_proto::ids::AttachmentId;
use connect_store::attachments::{self, Stored};
use connect_store::codes::{AttachmentReason, AttachmentState};
use connect_store::files::Kept;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::{blocking, fetching, find_for, told};
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;

type Chunk = Zeroizing<Vec<u8>>;

/// An attachment that is being read.
pub struct Reading {
    unlocked: Arc<Unlocked>,
    stored: Stored,
    file: Kept,
    /// Bytes that follow.
    pub size: u64,
    /// Of the first chunk, what the caller has already.
    skip: usize,
    next: u32,
    ahead: Option<JoinHandle<io::Result<Option<Chunk>>>>,
}

/// Waits until all of it is here and agrees.
pub async fn begin(
    unlocked: &Arc<Unlocked>,
    app: &str,
    id: AttachmentId,
    offset: u64,
) -> Result<Reading, Error> {
    let stored = wait_until_here(unlocked, app, id).await?;
    from(unlocked, stored, offset).await
}

/// From its first byte on, what a message names and was found to be here.
pub(crate) async fn open(unlocked: &Arc<Unlocked>, id: AttachmentId) -> Result<Reading, Error> {
    let stored = attachments::find(&unlocked.store, id).await?;
    from(unlocked, stored.ok_or(Error::NotFound)?, 0).await
}

/// Whether all of its ciphertext lies here, and is of that many bytes when it is opened.
pub(crate) async fn is_whole(
    unlocked: &Unlocked,
    id: AttachmentId,
    size: u64,
) -> Result<bool, Error> {
    let Some(stored) = attachments::find(&unlocked.store, id).await? else {
        return Ok(false);
    };
    let (files, said) = (unlocked.transfers.files.clone(), stored.said);
    if said.plaintext_size != size {
        return Ok(false);
    }
    let len = blocking(move || files.open(stored.file)?.len()).await;
    Ok(len.is_ok_and(|len| len == sealed_size(said.plaintext_size, said.chunk_count)))
}

async fn from(unlocked: &Arc<Unlocked>, stored: Stored, offset: u64) -> Result<Reading, Error> {
    let size = stored
        .said
        .plaintext_size
        .checked_sub(offset)
        .ok_or(Error::invalid("offset", Reason::OutOfRange))?;
    let (files, name) = (unlocked.transfers.files.clone(), stored.file);
    let Ok(file) = blocking(move || files.open(name)).await else {
        is_damaged(unlocked, &stored).await?;
        return Err(Error::invalid("attachment", Reason::Damaged));
    };
    let index = u32::try_from(offset / CHUNK as u64 + 1).map_err(|_| Error::TooLarge)?;
    let skip = usize::try_from(offset % CHUNK as u64).map_err(|_| Error::TooLarge)?;
    let mut reading = Reading {
        unlocked: Arc::clone(unlocked),
        stored,
        file,
        size,
        skip,
        next: index,
        ahead: None,
    };
    reading.read_ahead();
    Ok(reading)
}

async fn wait_until_here(
    unlocked: &Arc<Unlocked>,
    app: &str,
    id: AttachmentId,
) -> Result<Stored, Error> {
    let mut moved = unlocked.transfers.follow();
    loop {
        moved.borrow_and_update();
        let stored = find_for(unlocked, app, id).await?;
        match stored.state {
            AttachmentState::Ready | AttachmentState::Sealed | AttachmentState::Uploading => {
                return Ok(stored);
            }
            AttachmentState::Downloading => {}
            _ => return Err(why_not(stored.reason)),
        }
        tokio::select! {
            () = unlocked.ending.cancelled() => return Err(Error::Locked),
            _ = moved.changed() => {}
        }
    }
}

fn why_not(reason: Option<AttachmentReason>) -> Error {
    let said = |reason| Error::invalid("attachment", reason);
    match reason {
        Some(AttachmentReason::Expired | AttachmentReason::Withdrawn) => said(Reason::Expired),
        Some(
            AttachmentReason::ChunkSize
            | AttachmentReason::ChunkDamaged
            | AttachmentReason::DigestMismatch
            | AttachmentReason::FileDamaged,
        ) => said(Reason::Damaged),
        Some(AttachmentReason::StorageFull) => Error::StorageFull,
        Some(AttachmentReason::StorageFailed) => Error::StorageFailed("attachment"),
        _ => said(Reason::NotSupported),
    }
}

impl Reading {
    fn read_ahead(&mut self) {
        let size = self.stored.said.plaintext_size;
        let Some(len) = sealed_chunk_len(size, self.next) else {
            return;
        };
        let (key, file, index) = (
            Arc::clone(&self.stored.said.key),
            self.file.clone(),
            self.next,
        );
        self.next += 1;
        self.ahead = Some(tokio::task::spawn_blocking(move || {
            let sealed = file.read_at(u64::from(index - 1) * SEALED_CHUNK as u64, len)?;
            Ok(open_chunk(&key, index, &sealed).ok())
        }));
    }

    /// The next bytes; none after the last. What the disk has changed since it was checked ends it.
    pub async fn next(&mut self) -> Result<Option<Chunk>, Error> {
        let Some(ahead) = self.ahead.take() else {
            return Ok(None);
        };
        let opened = ahead
            .await
            .map_err(|_| Error::Internal("opening ended early"))?;
        self.read_ahead();
        let Ok(Some(mut chunk)) = opened else {
            is_damaged(&self.unlocked, &self.stored).await?;
            return Err(Error::invalid("attachment", Reason::Damaged));
        };
        if self.skip > 0 {
            chunk = Zeroizing::new(chunk[self.skip..].to_vec());
            self.skip = 0;
        }
        Ok(Some(chunk))
    }
}

/// It may be fetched again.
async fn is_damaged(unlocked: &Arc<Unlocked>, stored: &Stored) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let reason = AttachmentReason::FileDamaged;
    let after = (AttachmentState::Failed, Some(reason));
    if fetching::drop_copy(&mut journal, stored, AttachmentState::Ready, after).await? {
        told::failed(&mut journal, stored, reason).await?;
    }
    Ok(journal.commit().await?)
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({})", self.stored.said.id)
    }
}
