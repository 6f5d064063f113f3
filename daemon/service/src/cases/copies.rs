//! Attachments of before for whoever joins a case. The relay gives a chunk to those alone who were named when it was sent: whoever
//! brings somebody in sends what lies here once more, the very same ciphertext under an id of its own (D16).
//!
//! All copies are made by one task, and it alone has them removed: none comes to the relay after its removal.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use connect_core::attachment::{Attachment, SEALED_CHUNK, sealed_chunk_len, sealed_size};
use connect_proto::ids::AttachmentId;
use connect_proto::wire;
use connect_store::attachments::Stored;
use connect_store::cases::copying::{self, Copied, Due};
use connect_store::cases::{self, Case};
use connect_store::files::Kept;
use connect_uplink::attachments::AttachmentOutcome;
use connect_uplink::backoff::Backoff;
use tokio::time::{Instant, sleep_until};

use crate::attachments::blocking;
use crate::casework::share;
use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// How soon it is tried again where the relay has no room and does not say.
const NO_ROOM_MS: u64 = 60_000;
/// Bytes of copies that are told of in one share, where there are more.
const TOLD_EACH: u64 = 16 << 20;
/// The relay keeps an attachment for longer.
const STAYS_MS: u64 = 24 * 3600 * 1000;
/// Rounds in a row that a file may fail, with pauses of up to a minute; then the others are all that there is.
const TRIES: u32 = 30;
/// Plaintext bytes that are copied for one joiner, the smallest files first: each counts as ours at the relay.
const COPIED_AT_MOST: u64 = 4 << 30;

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut backoff = Backoff::new();
    let mut moved = unlocked.transfers.follow();
    let mut rests_until: Option<Instant> = None;
    let mut failures = 0;
    while !unlocked.ending.is_cancelled() {
        moved.borrow_and_update();
        let may_send = rests_until.is_none_or(|until| until <= Instant::now());
        let outcome = tokio::select! {
            () = unlocked.ending.cancelled() => break,
            outcome = one_round(&unlocked, may_send.then_some(failures)) => outcome,
        };
        match outcome {
            Ok(()) if may_send => {
                backoff.reset();
                (rests_until, failures) = (None, 0);
            }
            Ok(()) => {}
            Err(error) => {
                failures += u32::from(is_of_one_file(error));
                rests_until = Some(Instant::now() + pause_after(&unlocked, error, &mut backoff));
            }
        }
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = unlocked.copies_wake.notified() => {}
            _ = moved.changed() => {}
            () = rest(rests_until) => {}
        }
    }
}

async fn rest(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn pause_after(unlocked: &Unlocked, error: Error, backoff: &mut Backoff) -> Duration {
    if !is_of_one_file(error) {
        unlocked.note_storage(error);
    }
    tracing::warn!(%error, "a copy of an attachment waits");
    let pause = backoff.next_delay(&mut unlocked.chance.clone());
    match error {
        Error::RateLimited { retry_after_ms } => pause.max(Duration::from_millis(retry_after_ms)),
        _ => pause,
    }
}

/// Copies are made unless it is not the time, after so many rounds that failed.
async fn one_round(unlocked: &Arc<Unlocked>, failures: Option<u32>) -> Result<(), Error> {
    let sent = match failures {
        Some(failures) => send_all(unlocked, failures >= TRIES).await,
        None => Ok(()),
    };
    remove_withdrawn(unlocked).await?;
    sent
}

async fn send_all(unlocked: &Arc<Unlocked>, is_last_try: bool) -> Result<(), Error> {
    let mut failed = None;
    for due in copying::list_due(&unlocked.store).await? {
        let Err(error) = send(unlocked, &due, is_last_try).await else {
            continue;
        };
        match error {
            // What others are to get may be smaller.
            Error::RateLimited { .. } => failed = Some(error),
            _ if is_of_one_file(error) => failed = failed.or(Some(error)),
            _ => return Err(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

/// What keeps one file back, and no other.
fn is_of_one_file(error: Error) -> bool {
    matches!(
        error,
        Error::RelayRefused | Error::StorageFailed("attachment")
    )
}

/// The smallest first, and told as they come: who joins does not look for what is not there yet. What fails keeps nothing
/// waiting that is there.
async fn send(unlocked: &Arc<Unlocked>, due: &Due, is_last_try: bool) -> Result<(), Error> {
    let (mut untold, mut bytes) = (Vec::new(), 0);
    let mut failed = None;
    // Before what is here is listed: something may arrive meanwhile.
    let awaits_any = copying::awaits_any(&unlocked.store, due).await?;
    for stored in list(unlocked, due).await? {
        remove_withdrawn(unlocked).await?;
        match bring(unlocked, due, &stored).await {
            Ok(None) => {}
            Ok(Some(copy)) => {
                untold.push((stored.said.id, copy));
                bytes += stored.said.plaintext_size;
            }
            Err(error) => {
                failed = Some(error);
                if !is_of_one_file(error) {
                    break;
                }
            }
        }
        if bytes >= TOLD_EACH {
            tell(unlocked, due, std::mem::take(&mut untold), false).await?;
            bytes = 0;
        }
    }
    let is_given_up = is_last_try && failed.is_some_and(is_of_one_file);
    let is_last = !awaits_any && (failed.is_none() || is_given_up);
    tell(unlocked, due, untold, is_last).await?;
    failed.map_or(Ok(()), Err)
}

async fn list(unlocked: &Unlocked, due: &Due) -> Result<Vec<Stored>, Error> {
    let mut here = copying::list_here(&unlocked.store, due).await?;
    let mut bytes = copying::count_told_bytes(&unlocked.store, due).await?;
    here.retain(|stored| {
        bytes = bytes.saturating_add(stored.said.plaintext_size);
        bytes <= COPIED_AT_MOST
    });
    Ok(here)
}

async fn tell(
    unlocked: &Arc<Unlocked>,
    due: &Due,
    there: Vec<(AttachmentId, AttachmentId)>,
    is_last: bool,
) -> Result<(), Error> {
    if there.is_empty() && !is_last {
        return Ok(());
    }
    let mut journal = Journal::begin(unlocked).await?;
    if is_last && !copying::settle(journal.tx(), due).await? {
        journal.afterwards(|unlocked| unlocked.copies_wake.notify_one());
    }
    let mut told = Vec::new();
    for (id, copy) in there {
        if copying::note_told(journal.tx(), copy).await? {
            told.push((id, copy));
        }
    }
    let case = cases::find_in(journal.tx(), due.case_id).await?;
    if let Some(case) = case
        && let Some((control, _)) = &case.control
        && control.has(&due.user_id)
    {
        share::queue_copies(&mut journal, &case, control, &due.user_id, &told).await?;
    }
    Ok(journal.commit().await?)
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

/// Has the relay forget what was taken back, and what is for somebody who is out.
async fn remove_withdrawn(unlocked: &Arc<Unlocked>) -> Result<(), Error> {
    if !copying::has_withdrawn(&unlocked.store).await? {
        return Ok(());
    }
    let mut journal = Journal::begin(unlocked).await?;
    copying::ask_for_removals(journal.tx()).await?;
    journal.afterwards(|unlocked| unlocked.transfers.wake());
    Ok(journal.commit().await?)
}

/// What became of a copy that was to be brought to the relay.
enum Put {
    There,
    /// It is not to be there any more, its file is gone, or the relay will not take it.
    Impossible,
}

/// Returns the copy that is at the relay now, and still to be told of. What was brought there before an interruption is not
/// brought there again.
async fn bring(
    unlocked: &Arc<Unlocked>,
    due: &Due,
    stored: &Stored,
) -> Result<Option<AttachmentId>, Error> {
    let since_ms = unlocked.clock.now_ms().saturating_sub(STAYS_MS);
    let known = copying::find(&unlocked.store, due, stored.said.id, since_ms).await?;
    let copy = match known {
        Some(known) if known.is_there => return Ok(Some(known.id)),
        Some(known) => known,
        None => match begin(unlocked, due, stored).await? {
            Some(begun) => begun,
            None => return Ok(None),
        },
    };
    let put = put(unlocked, due, stored, copy).await?;
    let mut tx = unlocked.store.begin().await?;
    let is_there = match put {
        Put::There => copying::note_there(&mut tx, copy.id).await?,
        Put::Impossible => {
            copying::withdraw_one(&mut tx, copy.id).await?;
            false
        }
    };
    tx.commit().await?;
    Ok(is_there.then_some(copy.id))
}

/// An id that nobody can know before: whoever could, might take it first. Nothing is begun of what was taken back, nor for
/// somebody who is out by now.
async fn begin(unlocked: &Unlocked, due: &Due, stored: &Stored) -> Result<Option<Copied>, Error> {
    let id = AttachmentId::random(&mut unlocked.chance.clone());
    let mut tx = unlocked.store.begin().await?;
    let case = cases::find_in(&mut tx, due.case_id).await?;
    let now_ms = unlocked.clock.now_ms();
    if !is_to_get(case, due) || !copying::begin(&mut tx, due, (stored.said.id, id), now_ms).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(Copied {
        id,
        is_there: false,
        chunks: 0,
    }))
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
    let create = wire::CreateAttachment {
        attachment_id: copy.id.to_vec(),
        ciphertext_size: sealed_size(said.plaintext_size, said.chunk_count),
        chunk_count: said.chunk_count,
        reader_ids: vec![due.user_id.to_string()],
    };
    let me = unlocked.me();
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let created = unlocked
        .uplink
        .create_attachment(me.credentials(), now_ms, &mut chance, &create);
    if !is_taken(created.await?)? {
        return Ok(Put::Impossible);
    }
    for index in copy.chunks + 1..=said.chunk_count {
        if !is_still_wanted(unlocked, due, copy.id).await? {
            return Ok(Put::Impossible);
        }
        let Some(sealed) = chunk(&file, said, index).await? else {
            return Ok(Put::Impossible);
        };
        let me = unlocked.me();
        let now_ms = unlocked.clock.now_ms();
        let put = unlocked.uplink.put_chunk(
            me.credentials(),
            now_ms,
            &mut chance,
            copy.id,
            index,
            sealed,
        );
        let outcome = put.await?;
        // The relay has forgotten it: all of it is brought there again.
        let is_gone = outcome == AttachmentOutcome::NotFound;
        let is_taken = is_taken(outcome);
        if is_gone || is_taken == Ok(true) {
            note_chunks(unlocked, copy.id, if is_gone { 0 } else { index }).await?;
        }
        if !is_taken? {
            return Ok(Put::Impossible);
        }
    }
    Ok(Put::There)
}

async fn note_chunks(unlocked: &Unlocked, copy: AttachmentId, chunks: u32) -> Result<(), Error> {
    let mut tx = unlocked.store.begin().await?;
    copying::note_chunks(&mut tx, copy, chunks).await?;
    Ok(tx.commit().await?)
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
