//! An attachment on its way here: chunks side by side into a file of ciphertext, each opened to see that it is whole; and
//! ready only once count, size and digest of all agree (D15).

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use connect_core::attachment::{
    RunningDigest, SEALED_CHUNK, open_chunk, sealed_chunk_len, sealed_size,
};
use connect_proto::ids::AttachmentId;
use connect_store::attachments::{Stored, transfers};
use connect_store::cases::copies;
use connect_store::codes::{AttachmentReason, AttachmentState};
use connect_store::files::Kept;
use connect_uplink::error::UplinkError;
use tokio::task::JoinSet;

use super::together::{self, AT_ONCE};
use super::{blocking, told};
use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// What a chunk came to.
type Fetched = Result<(), AttachmentReason>;

pub(super) async fn fetch(unlocked: &Arc<Unlocked>, stored: &Stored) -> Result<(), Error> {
    let copy = find_copy(unlocked, stored).await?;
    match fetch_all(unlocked, stored, copy.unwrap_or(stored.said.id)).await {
        Ok(Ok(true)) => arrived(unlocked, stored).await,
        // Somebody cancelled it, and may have asked for it again: into another file.
        Ok(Ok(false)) => remove_file(unlocked, stored).await,
        Ok(Err(reason)) => match copy {
            Some(copy) => give_up_copy(unlocked, stored, copy, reason).await,
            None => fail(unlocked, stored, reason).await,
        },
        Err(Error::StorageFull) => fail(unlocked, stored, AttachmentReason::StorageFull).await,
        Err(Error::StorageFailed("attachment")) => {
            fail(unlocked, stored, AttachmentReason::StorageFailed).await
        }
        Err(error) => Err(error),
    }
}

/// What was sent to a case before the account joined it lies elsewhere.
async fn find_copy(unlocked: &Unlocked, stored: &Stored) -> Result<Option<AttachmentId>, Error> {
    let Some((.., conversation)) = stored.message else {
        return Ok(None);
    };
    let mut tx = unlocked.store.begin().await?;
    Ok(copies::find(&mut tx, conversation, stored.said.id).await?)
}

/// The word of whoever brought the account in does not stand before what its author sent: that is looked for next.
async fn give_up_copy(
    unlocked: &Arc<Unlocked>,
    stored: &Stored,
    copy: AttachmentId,
    reason: AttachmentReason,
) -> Result<(), Error> {
    tracing::warn!(reason = reason.word(), "a copy of an attachment is none");
    let mut tx = unlocked.store.begin().await?;
    if let Some((.., conversation)) = stored.message {
        copies::forget(&mut tx, conversation, copy).await?;
    }
    if !transfers::fetch_anew(&mut tx, stored.life()).await? {
        drop(tx);
        return remove_file(unlocked, stored).await;
    }
    tx.commit().await?;
    unlocked.transfers.wake();
    Ok(())
}

async fn fetch_all(
    unlocked: &Arc<Unlocked>,
    stored: &Stored,
    place: AttachmentId,
) -> Result<Result<bool, AttachmentReason>, Error> {
    let (files, name) = (unlocked.transfers.files.clone(), stored.file);
    let file = blocking(move || files.open_or_create(name)).await?;
    let done = transfers::list_chunks(&unlocked.store, stored.row).await?;
    match get_all(unlocked, stored, (&file, place), &done).await? {
        Ok(true) => {}
        other => return Ok(other),
    }
    let said = stored.said.clone();
    let agrees = blocking(move || {
        let size = sealed_size(said.plaintext_size, said.chunk_count);
        Ok(file.len()? == size && digest(&file, size)? == said.ciphertext_digest)
    });
    Ok(if agrees.await? {
        Ok(true)
    } else {
        Err(AttachmentReason::DigestMismatch)
    })
}

fn digest(file: &Kept, size: u64) -> io::Result<[u8; 32]> {
    let mut digest = RunningDigest::default();
    let mut at = 0;
    while at < size {
        let len = (size - at).min(SEALED_CHUNK as u64);
        digest.update(&file.read_at(at, usize::try_from(len).map_err(io::Error::other)?)?);
        at += len;
    }
    Ok(digest.finish())
}

/// Whether all chunks are here; not where it was given up.
async fn get_all(
    unlocked: &Arc<Unlocked>,
    stored: &Stored,
    (file, place): (&Kept, AttachmentId),
    done: &BTreeSet<u32>,
) -> Result<Result<bool, AttachmentReason>, Error> {
    let mut left = (1..=stored.said.chunk_count).filter(|index| !done.contains(index));
    let mut going = JoinSet::new();
    let mut set_out = |going: &mut JoinSet<_>| {
        while going.len() < AT_ONCE
            && let Some(index) = left.next()
        {
            let (unlocked, stored) = (Arc::clone(unlocked), stored.clone());
            going.spawn(get(unlocked, stored, (file.clone(), place), index));
        }
    };
    loop {
        set_out(&mut going);
        let ended = together::ended(&mut going).await;
        if ended.is_empty() {
            return Ok(Ok(true));
        }
        let (mut here, mut stopped) = (Vec::new(), None);
        for one in ended {
            match one {
                Ok((index, Ok(()))) => here.push(index),
                Ok((_, Err(reason))) => stopped = Some(Ok(reason)),
                Err(error) => stopped = Some(Err(error)),
            }
        }
        let written = file.clone();
        blocking(move || written.sync()).await?;
        if !together::note(unlocked, stored, AttachmentState::Downloading, &here).await? {
            return Ok(Ok(false));
        }
        if let Some(reason) = stopped.transpose()? {
            return Ok(Err(reason));
        }
    }
}

/// In the file once this returns, and not durable yet.
async fn get(
    unlocked: Arc<Unlocked>,
    stored: Stored,
    (file, place): (Kept, AttachmentId),
    index: u32,
) -> Result<(u32, Fetched), Error> {
    let me = unlocked.me();
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let asked = unlocked
        .uplink
        .get_chunk(me.credentials(), now_ms, &mut chance, place, index);
    let fetched = match asked.await {
        Ok(Some(sealed)) => blocking(move || keep(&stored, &file, index, &sealed)).await?,
        Ok(None) => Err(AttachmentReason::Expired),
        // Longer than any chunk may be.
        Err(UplinkError::BadAnswer) => Err(AttachmentReason::ChunkSize),
        Err(error) => return Err(error.into()),
    };
    Ok((index, fetched))
}

fn keep(stored: &Stored, file: &Kept, index: u32, sealed: &Bytes) -> io::Result<Fetched> {
    let said = &stored.said;
    if sealed_chunk_len(said.plaintext_size, index) != Some(sealed.len()) {
        return Ok(Err(AttachmentReason::ChunkSize));
    }
    if open_chunk(&said.key, index, sealed).is_err() {
        return Ok(Err(AttachmentReason::ChunkDamaged));
    }
    file.write_at(sealed, u64::from(index - 1) * SEALED_CHUNK as u64)?;
    Ok(Ok(()))
}

async fn arrived(unlocked: &Arc<Unlocked>, stored: &Stored) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let now_ms = journal.now_ms();
    let (before, after) = (AttachmentState::Downloading, (AttachmentState::Ready, None));
    if transfers::move_on(journal.tx(), stored.life(), before, after, now_ms).await? {
        told::ready(&mut journal, stored).await?;
        journal.afterwards(|unlocked| unlocked.transfers.wake());
    }
    Ok(journal.commit().await?)
}

async fn fail(
    unlocked: &Arc<Unlocked>,
    stored: &Stored,
    reason: AttachmentReason,
) -> Result<(), Error> {
    tracing::warn!(reason = reason.word(), "an attachment was not fetched");
    let mut journal = Journal::begin(unlocked).await?;
    if reason == AttachmentReason::Expired
        && let Some((.., conversation)) = stored.message
        && copies::find(journal.tx(), conversation, stored.said.id)
            .await?
            .is_some()
    {
        // Somebody told of a copy meanwhile: it is fetched from there next.
        drop(journal);
        unlocked.transfers.wake();
        return Ok(());
    }
    let after = (AttachmentState::Failed, Some(reason));
    if !drop_copy(&mut journal, stored, AttachmentState::Downloading, after).await? {
        drop(journal);
        return remove_file(unlocked, stored).await;
    }
    told::failed(&mut journal, stored, reason).await?;
    Ok(journal.commit().await?)
}

/// What was fetched into is nobody's any more: no name is given twice.
async fn remove_file(unlocked: &Unlocked, stored: &Stored) -> Result<(), Error> {
    let (files, name) = (unlocked.transfers.files.clone(), stored.file);
    blocking(move || files.remove(name)).await
}

/// Moves it where it is in the state before, and removes the copy that lies here. False where it is not.
pub(super) async fn drop_copy(
    journal: &mut Journal,
    stored: &Stored,
    before: AttachmentState,
    after: (AttachmentState, Option<AttachmentReason>),
) -> Result<bool, Error> {
    let now_ms = journal.now_ms();
    if !transfers::move_on(journal.tx(), stored.life(), before, after, now_ms).await? {
        return Ok(false);
    }
    let (files, name) = (journal.unlocked().transfers.files.clone(), stored.file);
    journal.afterwards(move |unlocked| {
        unlocked.transfers.wake();
        if let Err(error) = files.remove(name) {
            tracing::warn!(kind = ?error.kind(), "an attachment's file goes later");
        }
    });
    Ok(true)
}
