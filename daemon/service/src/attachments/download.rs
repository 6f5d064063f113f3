//! Fetching what came with a message: at once where the policy says so, or when somebody asks.

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_core::attachment::Attachment;
use connect_core::inbound::Opened;
use connect_proto::ids::{AttachmentId, MessageId, UserId};
use connect_store::attachments::{self, New, Stored, transfers};
use connect_store::cases::{CaseRow, copies};
use connect_store::codes::{AttachmentReason, AttachmentState};
use connect_store::files::FileName;
use connect_store::received;

use super::{find_for, find_for_in, has_room};
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// Stores what an attachment's message says of it. The message is stored already.
pub(crate) async fn take_in(
    journal: &mut Journal,
    opened: &Opened,
    said: &Attachment,
) -> Result<(), Error> {
    let message = received::find_in(journal.tx(), &opened.sender, opened.message_id).await?;
    let Some((message, _)) = message else {
        return Ok(());
    };
    let known = attachments::find_in(journal.tx(), said.id).await?;
    let unlocked = Arc::clone(journal.unlocked());
    let (state, reason) = match known {
        // Whoever has seen an id could choose it again: it does not take the first one's place.
        Some(_) => (AttachmentState::Failed, Some(AttachmentReason::IdConflict)),
        None if fetches_at_once(journal, &unlocked, said).await? => {
            (AttachmentState::Downloading, None)
        }
        None => (AttachmentState::Available, None),
    };
    let new = New {
        said,
        message: Some(message),
        app: None,
        file: FileName::random(&mut unlocked.chance.clone()),
        state,
        reason,
        now_ms: journal.now_ms(),
    };
    attachments::add(journal.tx(), new).await?;
    journal.afterwards(|unlocked| unlocked.transfers.wake());
    Ok(())
}

/// The same of what was written before the account joined a case: known here, and fetched once there is a copy of it.
pub(crate) async fn take_in_past(
    journal: &mut Journal,
    sender: &UserId,
    message_id: MessageId,
    said: &Attachment,
) -> Result<(), Error> {
    let message = received::find_in(journal.tx(), sender, message_id).await?;
    let Some((message, _)) = message else {
        return Ok(());
    };
    // What came in by another way, or before the history was cut off, is as it was.
    if attachments::find_of(journal.tx(), message).await?.is_some() {
        return Ok(());
    }
    let known = attachments::find_in(journal.tx(), said.id).await?;
    let (state, reason) = match known {
        Some(_) => (AttachmentState::Failed, Some(AttachmentReason::IdConflict)),
        None => (AttachmentState::Available, None),
    };
    let new = New {
        said,
        message: Some(message),
        app: None,
        file: FileName::random(&mut journal.unlocked().chance.clone()),
        state,
        reason,
        now_ms: journal.now_ms(),
    };
    attachments::add(journal.tx(), new).await?;
    Ok(())
}

/// Fetches what there is a copy of by now, where the policy says so; the rest can be asked for. Only of what was just told, where
/// anything was: what somebody discarded stays so.
pub(crate) async fn fetch_copies(
    journal: &mut Journal,
    case: CaseRow,
    told: Option<&[(AttachmentId, AttachmentId)]>,
) -> Result<(), Error> {
    let unlocked = Arc::clone(journal.unlocked());
    let now_ms = journal.now_ms();
    let mut to_fetch = copies::list_to_fetch(journal.tx(), case).await?;
    if let Some(told) = told {
        let told: BTreeSet<_> = told.iter().map(|(id, _)| *id).collect();
        to_fetch.retain(|stored| told.contains(&stored.said.id));
    }
    for stored in to_fetch {
        let (life, state) = (stored.life(), stored.state);
        if fetches_at_once(journal, &unlocked, &stored.said).await? {
            let file = FileName::random(&mut unlocked.chance.clone());
            transfers::fetch(journal.tx(), life, state, file, now_ms).await?;
        } else if state == AttachmentState::Failed {
            let available = (AttachmentState::Available, None);
            transfers::move_on(journal.tx(), life, state, available, now_ms).await?;
        }
    }
    journal.afterwards(|unlocked| unlocked.transfers.wake());
    Ok(())
}

async fn fetches_at_once(
    journal: &mut Journal,
    unlocked: &Unlocked,
    said: &Attachment,
) -> Result<bool, Error> {
    let size = said.plaintext_size;
    let is_wanted = match unlocked.policy().download_up_to {
        None => true,
        Some(0) => false,
        Some(most) => size <= most,
    };
    Ok(is_wanted && has_room(journal.tx(), unlocked, size).await?)
}

/// Whether a message that came again says the same of its attachment.
pub(crate) async fn is_as_said(
    journal: &mut Journal,
    opened: &Opened,
    said: &Attachment,
) -> Result<bool, Error> {
    let message = received::find_in(journal.tx(), &opened.sender, opened.message_id).await?;
    let Some((message, _)) = message else {
        return Ok(false);
    };
    let known = attachments::find_of(journal.tx(), message).await?;
    Ok(known.is_some_and(|known| {
        known.said.id == said.id && known.said.ciphertext_digest == said.ciphertext_digest
    }))
}

/// Sees to it that it will be here, where it is not. Returns it as it was found.
pub async fn ask_for(
    unlocked: &Arc<Unlocked>,
    app: &str,
    id: AttachmentId,
) -> Result<Stored, Error> {
    let stored = find_for(unlocked, app, id).await?;
    if !has_to_be_fetched(&stored)? {
        return Ok(stored);
    }
    let mut journal = Journal::begin(unlocked).await?;
    let stored = find_for_in(journal.tx(), app, id).await?;
    if !has_to_be_fetched(&stored)? {
        return Ok(stored);
    }
    if !has_room(journal.tx(), unlocked, stored.said.plaintext_size).await? {
        return Err(Error::StorageFull);
    }
    let now_ms = journal.now_ms();
    let file = FileName::random(&mut unlocked.chance.clone());
    transfers::fetch(journal.tx(), stored.life(), stored.state, file, now_ms).await?;
    journal.afterwards(|unlocked| unlocked.transfers.wake());
    journal.commit().await?;
    Ok(stored)
}

fn has_to_be_fetched(stored: &Stored) -> Result<bool, Error> {
    match stored.state {
        AttachmentState::Ready
        | AttachmentState::Downloading
        | AttachmentState::Sealed
        | AttachmentState::Uploading => Ok(false),
        AttachmentState::Incomplete => Err(Error::NotFound),
        AttachmentState::Failed | AttachmentState::Cancelled if cannot_be_had(stored) => {
            Err(Error::invalid("attachment_id", Reason::NotSupported))
        }
        AttachmentState::Available | AttachmentState::Failed | AttachmentState::Cancelled => {
            Ok(true)
        }
    }
}

/// Ours that never got to the relay, what its author took back, and what pretends to be another.
fn cannot_be_had(stored: &Stored) -> bool {
    stored.was_given_up()
        || matches!(
            stored.reason,
            Some(AttachmentReason::Withdrawn | AttachmentReason::IdConflict)
        )
}
