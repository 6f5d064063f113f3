//! How an attachment stands, and giving up what lies here of it.

use std::sync::Arc;

use connect_proto::ids::{AttachmentId, MessageId};
use connect_store::attachments::{self, Attached, Stored, transfers};
use connect_store::codes::{AttachmentReason, AttachmentState};
use connect_store::conversations::{self, Conversation};

use super::{blocking, fetching, find_for, find_for_in, sending, told};
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// How long a file lies here that no message names.
const UNNAMED_KEPT_MS: u64 = 24 * 3600 * 1000;

/// An attachment, and how many of its bytes have been moved.
#[derive(Debug, Clone)]
pub struct Standing {
    pub stored: Stored,
    pub transferred: u64,
}

pub async fn get(unlocked: &Unlocked, app: &str, id: AttachmentId) -> Result<Standing, Error> {
    let stored = find_for(unlocked, app, id).await?;
    let transferred = match stored.state {
        AttachmentState::Ready => stored.said.plaintext_size,
        AttachmentState::Uploading | AttachmentState::Downloading => {
            let chunks = transfers::count_chunks(&unlocked.store, stored.row).await?;
            told::transferred(&stored.said, chunks)
        }
        _ => 0,
    };
    Ok(Standing {
        stored,
        transferred,
    })
}

/// Those that messages name, newest first.
pub async fn list(
    unlocked: &Unlocked,
    conversation: Option<&Conversation>,
    after: Option<AttachmentId>,
    limit: u32,
) -> Result<Vec<(MessageId, Attached)>, Error> {
    let row = match conversation {
        None => None,
        Some(named) => match conversations::find(&unlocked.store, named).await? {
            None => return Ok(Vec::new()),
            row => row,
        },
    };
    Ok(attachments::list(&unlocked.store, row, after, limit).await?)
}

/// Ends what is under way: an upload takes its message along, which then does not go out.
pub async fn cancel(
    unlocked: &Arc<Unlocked>,
    app: &str,
    id: AttachmentId,
) -> Result<Standing, Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let stored = find_for_in(journal.tx(), app, id).await?;
    let reason = AttachmentReason::Cancelled;
    let after = (AttachmentState::Cancelled, Some(reason));
    let is_done = match stored.state {
        AttachmentState::Incomplete | AttachmentState::Sealed => {
            remove_unnamed(&mut journal, &stored).await?;
            true
        }
        AttachmentState::Uploading => sending::give_up(&mut journal, &stored, after).await?,
        AttachmentState::Downloading => {
            fetching::drop_copy(&mut journal, &stored, AttachmentState::Downloading, after).await?
        }
        _ => false,
    };
    if !is_done {
        return Err(Error::invalid("attachment_id", Reason::NotSupported));
    }
    if stored.message.is_some() {
        told::failed(&mut journal, &stored, reason).await?;
    }
    journal.commit().await?;
    Ok(Standing {
        stored: Stored {
            state: after.0,
            reason: after.1,
            ..stored
        },
        transferred: 0,
    })
}

/// Removes the bytes that lie here; the relay's stay, and can be fetched again until they expire.
pub async fn discard(
    unlocked: &Arc<Unlocked>,
    app: &str,
    id: AttachmentId,
) -> Result<Standing, Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let stored = find_for_in(journal.tx(), app, id).await?;
    let available = (AttachmentState::Available, None);
    let after = match stored.state {
        AttachmentState::Ready => {
            fetching::drop_copy(&mut journal, &stored, AttachmentState::Ready, available).await?;
            available
        }
        AttachmentState::Sealed => {
            remove_unnamed(&mut journal, &stored).await?;
            (
                AttachmentState::Cancelled,
                Some(AttachmentReason::Cancelled),
            )
        }
        AttachmentState::Available | AttachmentState::Failed | AttachmentState::Cancelled => {
            (stored.state, stored.reason)
        }
        _ => return Err(Error::invalid("attachment_id", Reason::NotSupported)),
    };
    journal.commit().await?;
    Ok(Standing {
        stored: Stored {
            state: after.0,
            reason: after.1,
            ..stored
        },
        transferred: 0,
    })
}

async fn remove_unnamed(journal: &mut Journal, stored: &Stored) -> Result<(), Error> {
    attachments::remove(journal.tx(), stored.life()).await?;
    let (files, name) = (journal.unlocked().transfers.files.clone(), stored.file);
    journal.afterwards(move |unlocked| {
        unlocked.transfers.wake();
        if let Err(error) = files.remove(name) {
            tracing::warn!(kind = ?error.kind(), "an attachment's file goes later");
        }
    });
    Ok(())
}

/// Removes what no message will name any more, and files that belong to nothing. As a session begins, no bytes are
/// coming: whatever is incomplete stays so.
pub(crate) async fn tidy(unlocked: &Unlocked, is_beginning: bool) -> Result<(), Error> {
    let before_ms = unlocked.clock.now_ms().saturating_sub(UNNAMED_KEPT_MS);
    let mut tx = unlocked.store.begin().await?;
    attachments::remove_abandoned(&mut tx, is_beginning, before_ms).await?;
    tx.commit().await?;
    // The files first: each has had its row since before it was made, and no name is given twice.
    let files = unlocked.transfers.files.clone();
    let found = blocking(move || files.list()).await?;
    if found.is_empty() {
        return Ok(());
    }
    let known = attachments::list_files(&unlocked.store).await?;
    let (files, orphans) = (unlocked.transfers.files.clone(), &found - &known);
    let count = orphans.len();
    blocking(move || orphans.iter().try_for_each(|name| files.remove(*name))).await?;
    if count > 0 {
        tracing::info!(count, "files of attachments that are gone were removed");
    }
    Ok(())
}
