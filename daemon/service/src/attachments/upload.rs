//! A file on its way in from a client: sealed as its bytes come, on all cores, and kept as ciphertext alone.
//!
//! A stream that breaks off is given up with its key: nothing is ever sealed again under the same key and index (D15).

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};

use connect_core::attachment::{
    Attachment, CHUNK, RunningDigest, SEALED_CHUNK, chunk_count, seal_chunk,
};
use connect_core::secret::AttachmentKey;
use connect_proto::hash::Digest;
use connect_proto::ids::AttachmentId;
use connect_store::attachments::{self, Life, New, Stored};
use connect_store::codes::AttachmentState;
use connect_store::files::{FileName, Kept};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::{Announced, blocking, find_for, has_room, thumbnail};
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::transfers::cores;
use crate::unlocked::Unlocked;

/// Room that is kept for a file. Dropped before its bytes begin to come, it is given back.
pub struct Reserved {
    unlocked: Weak<Unlocked>,
    app: String,
    pub id: AttachmentId,
    pub size: u64,
    life: Option<Life>,
}

impl Reserved {
    /// None where its session is over.
    pub fn session(&self) -> Option<Arc<Unlocked>> {
        self.unlocked.upgrade()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let (Some(life), Some(unlocked)) = (self.life, self.unlocked.upgrade()) {
            give_up_aside(unlocked, life);
        }
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reserved({})", self.id)
    }
}

/// Makes its key and keeps room for it; the bytes come on a stream of their own.
pub async fn announce(
    unlocked: &Arc<Unlocked>,
    app: &str,
    announced: &Announced,
) -> Result<Reserved, Error> {
    announced.check()?;
    let mut chance = unlocked.chance.clone();
    let id = AttachmentId::random(&mut chance);
    let said = Attachment {
        id,
        key: Arc::new(AttachmentKey::generate(&mut chance)),
        chunk_count: chunk_count(announced.size).ok_or(Error::TooLarge)?,
        plaintext_size: announced.size,
        ciphertext_digest: Digest::default(),
        media_type: announced.media_type.clone(),
        filename: announced.filename.clone(),
        caption: String::new(),
        thumbnail: Vec::new(),
    };
    let mut journal = Journal::begin(unlocked).await?;
    if !has_room(journal.tx(), unlocked, announced.size).await? {
        return Err(Error::StorageFull);
    }
    let now_ms = journal.now_ms();
    let file = FileName::random(&mut chance);
    let new = New {
        said: &said,
        message: None,
        app: Some(app),
        file,
        state: AttachmentState::Incomplete,
        reason: None,
        now_ms,
    };
    let row = attachments::add(journal.tx(), new).await?;
    let reserved = Reserved {
        unlocked: Arc::downgrade(unlocked),
        app: app.to_owned(),
        id,
        size: announced.size,
        life: Some(Life { row, file }),
    };
    journal.commit().await?;
    Ok(reserved)
}

/// A file whose bytes are coming. Dropped before `finish`, it is given up.
pub struct Incoming {
    unlocked: Arc<Unlocked>,
    stored: Stored,
    file: Kept,
    buffer: Zeroizing<Vec<u8>>,
    /// Of the chunk that is being filled.
    index: u32,
    taken: u64,
    /// Chunks that are being sealed and written, in order.
    sealing: VecDeque<JoinHandle<io::Result<Vec<u8>>>>,
    digest: RunningDigest,
    finished: bool,
}

/// Opens its file. The ticket that leads here is shown once: there is no second try with this key.
pub async fn begin(unlocked: &Arc<Unlocked>, mut reserved: Reserved) -> Result<Incoming, Error> {
    let stored = find_for(unlocked, &reserved.app, reserved.id).await?;
    if Some(stored.life()) != reserved.life || stored.state != AttachmentState::Incomplete {
        return Err(Error::NotFound);
    }
    let (files, name) = (unlocked.transfers.files.clone(), stored.file);
    let file = blocking(move || files.create(name)).await?;
    // From here on it is given up with what is coming.
    reserved.life = None;
    Ok(Incoming {
        unlocked: Arc::clone(unlocked),
        stored,
        file,
        buffer: Zeroizing::new(Vec::with_capacity(CHUNK)),
        index: 1,
        taken: 0,
        sealing: VecDeque::new(),
        digest: RunningDigest::default(),
        finished: false,
    })
}

impl Incoming {
    pub async fn take(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.taken += bytes.len() as u64;
        if self.taken > self.stored.said.plaintext_size {
            return Err(Error::invalid("size", Reason::Mismatch));
        }
        while !bytes.is_empty() {
            // Sealed when more comes: the last chunk is told by the end.
            if self.buffer.len() == CHUNK {
                self.seal().await?;
            }
            let room = CHUNK - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Seals what the buffer holds, beside what is being sealed already.
    async fn seal(&mut self) -> Result<(), Error> {
        while self.sealing.len() > cores() {
            self.collect().await?;
        }
        let plaintext =
            std::mem::replace(&mut self.buffer, Zeroizing::new(Vec::with_capacity(CHUNK)));
        let permit = Arc::clone(&self.unlocked.transfers.sealing)
            .acquire_owned()
            .await
            .map_err(|_| Error::Locked)?;
        let (key, file) = (Arc::clone(&self.stored.said.key), self.file.clone());
        let index = self.index;
        self.index += 1;
        self.sealing.push_back(tokio::task::spawn_blocking(move || {
            let sealed = seal_chunk(&key, index, &plaintext);
            drop(permit);
            file.write_at(&sealed, u64::from(index - 1) * SEALED_CHUNK as u64)?;
            Ok(sealed)
        }));
        Ok(())
    }

    /// Takes the oldest one into the digest.
    async fn collect(&mut self) -> Result<(), Error> {
        let Some(oldest) = self.sealing.pop_front() else {
            return Ok(());
        };
        let sealed = oldest
            .await
            .map_err(|_| Error::Internal("sealing ended early"))?
            .map_err(|error| Error::of_files(&error, "attachment"))?;
        let mut digest = std::mem::take(&mut self.digest);
        self.digest = blocking(move || {
            digest.update(&sealed);
            Ok(digest)
        })
        .await?;
        Ok(())
    }

    /// All came: durable, and ready to be named in a message, once this returns.
    pub async fn finish(mut self) -> Result<Sealed, Error> {
        let said = &self.stored.said;
        if self.taken != said.plaintext_size {
            return Err(Error::invalid("size", Reason::Mismatch));
        }
        let (id, count, key, size) = (
            said.id,
            said.chunk_count,
            Arc::clone(&said.key),
            said.plaintext_size,
        );
        self.seal().await?;
        while !self.sealing.is_empty() {
            self.collect().await?;
        }
        if self.index != count + 1 {
            return Err(Error::Internal("chunks that do not add up"));
        }
        let file = self.file.clone();
        blocking(move || file.sync()).await?;
        let turn = Arc::clone(&self.unlocked.transfers.decoding);
        let thumbnail = thumbnail::of(turn, self.file.clone(), key, size).await;
        let mut journal = Journal::begin(&self.unlocked).await?;
        let (digest, now_ms) = (std::mem::take(&mut self.digest).finish(), journal.now_ms());
        let life = self.stored.life();
        if !attachments::seal(journal.tx(), life, &digest, &thumbnail, now_ms).await? {
            return Err(Error::NotFound);
        }
        journal.commit().await?;
        self.finished = true;
        Ok(Sealed {
            id,
            size,
            has_thumbnail: !thumbnail.is_empty(),
        })
    }
}

/// A file that is sealed and durable here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    pub id: AttachmentId,
    pub size: u64,
    pub has_thumbnail: bool,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        give_up_aside(Arc::clone(&self.unlocked), self.stored.life());
    }
}

fn give_up_aside(unlocked: Arc<Unlocked>, life: Life) {
    let loops = unlocked.loops.clone();
    loops.spawn(async move {
        if let Err(error) = give_up(&unlocked, life).await {
            tracing::warn!(%error, "what is left of an upload that broke off goes with the next unlock");
        }
    });
}

async fn give_up(unlocked: &Unlocked, life: Life) -> Result<(), Error> {
    let mut tx = unlocked.store.begin().await?;
    attachments::remove(&mut tx, life).await?;
    tx.commit().await?;
    let files = unlocked.transfers.files.clone();
    blocking(move || files.remove(life.file)).await
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming({})", self.stored.said.id)
    }
}
