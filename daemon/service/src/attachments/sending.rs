//! An attachment on its way to the relay: created with its readers, then its chunks side by side, each noted once it is there.
//!
//! What is sent is the ciphertext that was kept, however often: nothing is sealed twice (D15).

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use connect_core::attachment::{SEALED_CHUNK, sealed_chunk_len, sealed_size};
use connect_proto::ids::UserId;
use connect_proto::wire;
use connect_store::attachments::{self, Stored, transfers};
use connect_store::cases::entries;
use connect_store::codes::{AttachmentReason, AttachmentState, RecipientState, StateReason};
use connect_store::files::Kept;
use connect_store::{outbox, recipients};
use connect_uplink::attachments::AttachmentOutcome;
use tokio::task::JoinSet;

use super::together::{self, AT_ONCE};
use super::{blocking, told};
use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// How soon it is tried again where the relay has no room and does not say.
const NO_ROOM_MS: u64 = 60_000;

pub(super) async fn send(unlocked: &Arc<Unlocked>, stored: &Stored) -> Result<(), Error> {
    if !stored.created && !create(unlocked, stored).await? {
        return Ok(());
    }
    let (files, name) = (unlocked.transfers.files.clone(), stored.file);
    let opened = tokio::task::spawn_blocking(move || files.open(name)).await;
    let Ok(Ok(file)) = opened else {
        return fail(unlocked, stored, AttachmentReason::FileDamaged).await;
    };
    let done = transfers::list_chunks(&unlocked.store, stored.row).await?;
    match put_all(unlocked, stored, &file, &done).await? {
        Ok(()) => arrived(unlocked, stored).await,
        Err(Stopped::GivenUp) => Ok(()),
        Err(Stopped::Forgotten) => begin_again(unlocked, stored).await,
        Err(Stopped::Failed(reason)) => fail(unlocked, stored, reason).await,
    }
}

/// Why the chunks did not all arrive, and will not by themselves.
enum Stopped {
    /// Somebody cancelled it.
    GivenUp,
    /// The relay does not know of it any more.
    Forgotten,
    Failed(AttachmentReason),
}

/// Tells the relay of it and of its readers. False where it was given up.
async fn create(unlocked: &Arc<Unlocked>, stored: &Stored) -> Result<bool, Error> {
    let said = &stored.said;
    let Some((message, ..)) = stored.message else {
        return Ok(false);
    };
    let readers = attachments::list_readers(&unlocked.store, message).await?;
    let create = wire::CreateAttachment {
        attachment_id: said.id.to_vec(),
        ciphertext_size: sealed_size(said.plaintext_size, said.chunk_count),
        chunk_count: said.chunk_count,
        reader_ids: readers.into_iter().map(UserId::into_string).collect(),
    };
    let me = unlocked.me();
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let asked = unlocked
        .uplink
        .create_attachment(me.credentials(), now_ms, &mut chance, &create);
    let reason = match asked.await? {
        AttachmentOutcome::Done => {
            let mut tx = unlocked.store.begin().await?;
            transfers::set_created(&mut tx, stored.row, true).await?;
            tx.commit().await?;
            return Ok(true);
        }
        outcome => refused(outcome)?,
    };
    fail(unlocked, stored, reason).await?;
    Ok(false)
}

/// What an outcome that is none of the expected ones comes to: a wait, or the end.
fn refused(outcome: AttachmentOutcome) -> Result<AttachmentReason, Error> {
    match outcome {
        AttachmentOutcome::QuotaFull { retry_after_ms } => Err(Error::RateLimited {
            retry_after_ms: retry_after_ms.unwrap_or(NO_ROOM_MS),
        }),
        AttachmentOutcome::Odd(status) => {
            tracing::warn!(status, "the relay does not take an attachment for now");
            Err(Error::RelayRefused)
        }
        AttachmentOutcome::Conflict => Ok(AttachmentReason::IdConflict),
        AttachmentOutcome::TooLarge => Ok(AttachmentReason::TooLarge),
        AttachmentOutcome::UnknownReader => Ok(AttachmentReason::UnknownReader),
        AttachmentOutcome::Done | AttachmentOutcome::NotFound | AttachmentOutcome::Refused => {
            Ok(AttachmentReason::Refused)
        }
    }
}

async fn put_all(
    unlocked: &Arc<Unlocked>,
    stored: &Stored,
    file: &Kept,
    done: &BTreeSet<u32>,
) -> Result<Result<(), Stopped>, Error> {
    let mut left = (1..=stored.said.chunk_count).filter(|index| !done.contains(index));
    let mut going = JoinSet::new();
    let mut set_out = |going: &mut JoinSet<_>| {
        while going.len() < AT_ONCE
            && let Some(index) = left.next()
        {
            let (unlocked, stored) = (Arc::clone(unlocked), stored.clone());
            going.spawn(put(unlocked, stored, file.clone(), index));
        }
    };
    loop {
        set_out(&mut going);
        let ended = together::ended(&mut going).await;
        if ended.is_empty() {
            return Ok(Ok(()));
        }
        let (mut there, mut stopped) = (Vec::new(), None);
        for one in ended {
            match one.and_then(judged) {
                Ok(Ok(index)) => there.push(index),
                other => stopped = Some(other),
            }
        }
        if !together::note(unlocked, stored, AttachmentState::Uploading, &there).await? {
            return Ok(Err(Stopped::GivenUp));
        }
        match stopped {
            None => {}
            Some(Err(error)) => return Err(error),
            Some(Ok(refused)) => return Ok(refused.map(drop)),
        }
    }
}

/// The number of a chunk that is there.
fn judged(
    (index, outcome): (u32, Option<AttachmentOutcome>),
) -> Result<Result<u32, Stopped>, Error> {
    Ok(match outcome {
        Some(AttachmentOutcome::Done) => Ok(index),
        Some(AttachmentOutcome::NotFound) => Err(Stopped::Forgotten),
        Some(outcome) => Err(Stopped::Failed(refused(outcome)?)),
        None => Err(Stopped::Failed(AttachmentReason::FileDamaged)),
    })
}

/// None where the file does not have it.
async fn put(
    unlocked: Arc<Unlocked>,
    stored: Stored,
    file: Kept,
    index: u32,
) -> Result<(u32, Option<AttachmentOutcome>), Error> {
    let len = sealed_chunk_len(stored.said.plaintext_size, index)
        .ok_or(Error::Internal("a chunk that there is not"))?;
    let offset = u64::from(index - 1) * SEALED_CHUNK as u64;
    let Ok(sealed) = blocking(move || file.read_at(offset, len)).await else {
        return Ok((index, None));
    };
    let me = unlocked.me();
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let put = unlocked.uplink.put_chunk(
        me.credentials(),
        now_ms,
        &mut chance,
        stored.said.id,
        index,
        Bytes::from(sealed),
    );
    Ok((index, Some(put.await?)))
}

/// All of it is at the relay: the message that names it may go.
async fn arrived(unlocked: &Arc<Unlocked>, stored: &Stored) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let now_ms = journal.now_ms();
    let (before, after) = (AttachmentState::Uploading, (AttachmentState::Ready, None));
    if transfers::move_on(journal.tx(), stored.life(), before, after, now_ms).await? {
        told::ready(&mut journal, stored).await?;
        journal.afterwards(|unlocked| {
            unlocked.transfers.wake();
            unlocked.outbox_wake.notify_one();
        });
    }
    Ok(journal.commit().await?)
}

/// It expired while it was on its way, or was removed: all of it goes there once more, as it was sealed, after a pause and
/// after all others: a relay that forgets it at once is not to be asked without end.
async fn begin_again(unlocked: &Arc<Unlocked>, stored: &Stored) -> Result<(), Error> {
    let mut tx = unlocked.store.begin().await?;
    transfers::set_created(&mut tx, stored.row, false).await?;
    tx.commit().await?;
    tracing::warn!("the relay has forgotten an attachment: it is sent again");
    Err(Error::RelayRefused)
}

/// It cannot get there, and so the message that names it does not go.
async fn fail(
    unlocked: &Arc<Unlocked>,
    stored: &Stored,
    reason: AttachmentReason,
) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let after = (AttachmentState::Failed, Some(reason));
    if give_up(&mut journal, stored, after).await? {
        told::failed(&mut journal, stored, reason).await?;
    }
    Ok(journal.commit().await?)
}

/// Ends an upload, and its message with it. False where it had come to its end before.
pub(crate) async fn give_up(
    journal: &mut Journal,
    stored: &Stored,
    after: (AttachmentState, Option<AttachmentReason>),
) -> Result<bool, Error> {
    let now_ms = journal.now_ms();
    let before = AttachmentState::Uploading;
    if !transfers::move_on(journal.tx(), stored.life(), before, after, now_ms).await? {
        return Ok(false);
    }
    transfers::ask_for_removal(journal.tx(), stored.said.id).await?;
    if let Some((message, ..)) = stored.message
        && let Some(sent) = recipients::find_sent_row(journal.tx(), message).await?
    {
        for was_held in outbox::remove_message(journal.tx(), message).await? {
            journal.afterwards(move |unlocked| unlocked.counters.remove_queued(was_held));
        }
        // Nor is anybody told of it who joins a case later.
        let me = journal.unlocked().user_id().clone();
        let (of, id) = (sent.conversation, sent.message_id);
        entries::remove(journal.tx(), of, &me, id).await?;
        let why = match after.1 {
            Some(AttachmentReason::TooLarge) => StateReason::TooLarge,
            Some(AttachmentReason::UnknownReader) => StateReason::UnknownRecipient,
            Some(AttachmentReason::Cancelled | AttachmentReason::Withdrawn) => {
                StateReason::Withdrawn
            }
            _ => StateReason::Refused,
        };
        for recipient in recipients::list(journal.tx(), message).await? {
            journal
                .move_recipient(&sent, &recipient.user_id, RecipientState::Failed, Some(why))
                .await?;
        }
    }
    let (files, name) = (journal.unlocked().transfers.files.clone(), stored.file);
    journal.afterwards(move |unlocked| {
        unlocked.transfers.wake();
        unlocked.outbox_wake.notify_one();
        if let Err(error) = files.remove(name) {
            tracing::warn!(kind = ?error.kind(), "an attachment's file goes later");
        }
    });
    Ok(true)
}
