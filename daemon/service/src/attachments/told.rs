//! What is told of a transfer: an event for each tenth of a large one, and for its end.

use connect_core::attachment::{Attachment, CHUNK};
use connect_store::attachments::Stored;
use connect_store::codes::{AttachmentReason, EventKind};
use connect_store::events::NewEvent;

use crate::error::Error;
use crate::journal::Journal;

/// Of what is smaller, the end alone is told.
const WORTH_TELLING: u64 = 8 * CHUNK as u64;

fn event<'a>(journal: &Journal, stored: &Stored, kind: EventKind) -> NewEvent<'a> {
    NewEvent {
        conversation: stored.message.map(|(_, _, conversation)| conversation),
        message_id: stored.message.map(|(_, message_id, _)| message_id),
        attachment_id: Some(stored.said.id),
        ..NewEvent::of(kind, journal.now_ms())
    }
}

/// How many bytes of it so many chunks are.
pub(crate) fn transferred(said: &Attachment, chunks: u64) -> u64 {
    chunks.saturating_mul(CHUNK as u64).min(said.plaintext_size)
}

pub(super) async fn progress(
    journal: &mut Journal,
    stored: &Stored,
    chunks: u64,
) -> Result<(), Error> {
    let said = &stored.said;
    if said.plaintext_size < WORTH_TELLING || !passes_a_tenth(said, chunks) {
        return Ok(());
    }
    let event = NewEvent {
        range: Some((transferred(said, chunks), said.plaintext_size)),
        ..event(journal, stored, EventKind::AttachmentProgress)
    };
    Ok(journal.append(&event).await?)
}

fn passes_a_tenth(said: &Attachment, chunks: u64) -> bool {
    let all = u64::from(said.chunk_count);
    let tenth = |chunks: u64| chunks * 10 / all;
    chunks < all && tenth(chunks) > tenth(chunks.saturating_sub(1))
}

pub(super) async fn ready(journal: &mut Journal, stored: &Stored) -> Result<(), Error> {
    let event = NewEvent {
        range: Some((stored.said.plaintext_size, stored.said.plaintext_size)),
        ..event(journal, stored, EventKind::AttachmentReady)
    };
    Ok(journal.append(&event).await?)
}

pub(super) async fn failed(
    journal: &mut Journal,
    stored: &Stored,
    reason: AttachmentReason,
) -> Result<(), Error> {
    let event = NewEvent {
        reason: Some(reason.word()),
        ..event(journal, stored, EventKind::AttachmentFailed)
    };
    Ok(journal.append(&event).await?)
}
