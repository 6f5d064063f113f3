//! One copy to the relay: noted before the relay hears of it, and gone on with where it ended.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use bytes::Bytes;
use connect_core::attachment::{Attachment, SEALED_CHUNK, sealed_chunk_len, sealed_size};
use connect_proto::ids::AttachmentId;
use connect_proto::wire;
use connect_store::attachments::{self, Stored};
use connect_store::cases::copying::{self, Copied, Due, Here};
use connect_store::cases::{self, Case};
use connect_store::files::Kept;
use connect_uplink::attachments::AttachmentOutcome;

use crate::attachments::blocking;
use crate::error::Error;
use crate::unlocked::Unlocked;

/// How soon it is tried again where the relay has no room and does not say.
const NO_ROOM_MS: u64 = 60_000;
/// For how long what was begun is gone on with, and told of: the relay keeps it for three weeks more.
const GOES_ON_MS: u64 = 7 * 24 * 3600 * 1000;

pub(super) enum Brought {
    /// At the relay now, and still to be told of.
    There {
        of: AttachmentId,
        copy: AttachmentId,
    },
    /// It lies here no more, or was taken back.
    Nothing,
    /// It is not to be there any more, its file is damaged, or the relay will not take it.
    Impossible,
    /// Something else was asked for meanwhile.
    Interrupted,
}

/// What was brought there before an interruption is not brought there again.
pub(super) async fn bring(
    unlocked: &Arc<Unlocked>,
    due: &Due,
    here: Here,
) -> Result<Brought, Error> {
    let Some(stored) = attachments::find_again(&unlocked.store, here.life).await? else {
        return Ok(Brought::Nothing);
    };
    let of = stored.said.id;
    let since_ms = unlocked.clock.now_ms().saturating_sub(GOES_ON_MS);
    let known = copying::find(&unlocked.store, due, of, since_ms).await?;
    let copy = match known {
        Some(known) if known.is_there => return Ok(Brought::There { of, copy: known.id }),
        Some(known) => known,
        None => match begin(unlocked, due, of).await? {
            Some(begun) => begun,
            None => return Ok(Brought::Nothing),
        },
    };
    let put = put(unlocked, due, &stored, copy).await?;
    settle(unlocked, of, copy.id, put).await
}

async fn settle(
    unlocked: &Unlocked,
    of: AttachmentId,
    copy: AttachmentId,
    put: Put,
) -> Result<Brought, Error> {
    let mut tx = unlocked.store.begin().await?;
    let brought = match put {
        Put::There if copying::note_there(&mut tx, copy).await? => Brought::There { of, copy },
        Put::There => Brought::Nothing,
        Put::Unwanted | Put::Impossible => {
            copying::withdraw_one(&mut tx, copy).await?;
            Brought::Impossible
        }
        Put::Interrupted => Brought::Interrupted,
    };
    tx.commit().await?;
    Ok(brought)
}

/// Nothing more is brought there for somebody who is out by now, or once we are.
fn is_to_get(case: Option<Case>, due: &Due) -> bool {
    let control = case
        .filter(|case| case.left_ms.is_none())
        .and_then(|case| case.control);
    control.is_some_and(|(control, _)| control.has(&due.user_id))
}

async fn is_still_wanted(
    unlocked: &Unlocked,
    due: &Due,
    copy: AttachmentId,
) -> Result<bool, Error> {
    let case = cases::find(&unlocked.store, due.case_id).await?;
    Ok(is_to_get(case, due) && copying::is_wanted(&unlocked.store, copy).await?)
}

/// Whether others are to get something by now, or something is to be removed.
async fn is_asked_for_more(unlocked: &Unlocked) -> Result<bool, Error> {
    let is_woken = tokio::select! {
        biased;
        () = unlocked.copies_wake.notified() => true,
        () = std::future::ready(()) => false,
    };
    Ok(is_woken || copying::has_withdrawn(&unlocked.store).await?)
}

/// An id that nobody can know before: whoever could, might take it first. Nothing is begun of what was taken back, nor for
/// somebody who is out by now.
async fn begin(unlocked: &Unlocked, due: &Due, of: AttachmentId) -> Result<Option<Copied>, Error> {
    let id = AttachmentId::random(&mut unlocked.chance.clone());
    let mut tx = unlocked.store.begin().await?;
    let case = cases::find_in(&mut tx, due.case_id).await?;
    let now_ms = unlocked.clock.now_ms();
    if !is_to_get(case, due) || !copying::begin(&mut tx, due, (of, id), now_ms).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(Copied {
        id,
        is_there: false,
        chunks: 0,
    }))
}

/// What became of a copy that was to be brought to the relay.
enum Put {
    There,
    /// It was taken back, or whom it is for is out.
    Unwanted,
    /// Its file is gone or damaged, or the relay will not take it.
    Impossible,
    Interrupted,
}

async fn put(
    unlocked: &Arc<Unlocked>,
    due: &Due,
    stored: &Stored,
    copy: Copied,
) -> Result<Put, Error> {
    let said = &stored.said;
    let (files, name) = (unlocked.transfers.files.clone(), stored.file);
    let Some(file) = blocking(move || where_whole(files.open(name))).await? else {
        return Ok(Put::Impossible);
    };
    if !create(unlocked, due, said, copy.id).await? {
        return Ok(Put::Impossible);
    }
    for index in copy.chunks + 1..=said.chunk_count {
        if !is_still_wanted(unlocked, due, copy.id).await? {
            return Ok(Put::Unwanted);
        }
        if index > copy.chunks + 1 && is_asked_for_more(unlocked).await? {
            return Ok(Put::Interrupted);
        }
        let Some(sealed) = chunk(&file, said, index).await? else {
            return Ok(Put::Impossible);
        };
        if !put_chunk(unlocked, copy.id, index, sealed).await? {
            return Ok(Put::Impossible);
        }
    }
    Ok(Put::There)
}

async fn create(
    unlocked: &Unlocked,
    due: &Due,
    said: &Attachment,
    copy: AttachmentId,
) -> Result<bool, Error> {
    let create = wire::CreateAttachment {
        attachment_id: copy.to_vec(),
        ciphertext_size: sealed_size(said.plaintext_size, said.chunk_count),
        chunk_count: said.chunk_count,
        reader_ids: vec![due.user_id.to_string()],
    };
    let me = unlocked.me();
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let uplink = &unlocked.uplink;
    let created = uplink.create_attachment(me.credentials(), now_ms, &mut chance, &create);
    is_taken(created.await?)
}

async fn put_chunk(
    unlocked: &Unlocked,
    copy: AttachmentId,
    index: u32,
    sealed: Bytes,
) -> Result<bool, Error> {
    let me = unlocked.me();
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let uplink = &unlocked.uplink;
    let put = uplink.put_chunk(me.credentials(), now_ms, &mut chance, copy, index, sealed);
    let outcome = put.await?;
    // The relay has forgotten it: all of it is brought there again.
    let is_gone = outcome == AttachmentOutcome::NotFound;
    let is_taken = is_taken(outcome);
    if is_gone || is_taken == Ok(true) {
        let mut tx = unlocked.store.begin().await?;
        copying::note_chunks(&mut tx, copy, if is_gone { 0 } else { index }).await?;
        tx.commit().await?;
    }
    is_taken
}

/// As it lies here: nothing is sealed twice (D15).
async fn chunk(file: &Kept, said: &Attachment, index: u32) -> Result<Option<Bytes>, Error> {
    let Some(len) = sealed_chunk_len(said.plaintext_size, index) else {
        return Ok(None);
    };
    let offset = u64::from(index - 1) * SEALED_CHUNK as u64;
    let file = file.clone();
    let read = blocking(move || where_whole(file.read_at(offset, len))).await?;
    Ok(read.map(Bytes::from))
}

/// It may have been discarded just now, or be damaged; whatever else fails may be mended.
fn where_whole<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// False where the relay would refuse it again.
fn is_taken(outcome: AttachmentOutcome) -> Result<bool, Error> {
    match outcome {
        AttachmentOutcome::Done => Ok(true),
        AttachmentOutcome::QuotaFull { retry_after_ms } => Err(Error::RateLimited {
            retry_after_ms: retry_after_ms.unwrap_or(NO_ROOM_MS),
        }),
        AttachmentOutcome::Odd(_) | AttachmentOutcome::NotFound => Err(Error::RelayRefused),
        AttachmentOutcome::Conflict
        | AttachmentOutcome::TooLarge
        | AttachmentOutcome::UnknownReader
        | AttachmentOutcome::Refused => {
            tracing::warn!("the relay does not take a copy of an attachment");
            Ok(false)
        }
    }
}
