//! Chunks on their way side by side; those that have ended are noted together, before the next ones begin.

use std::sync::Arc;

use connect_store::attachments::{Stored, transfers};
use connect_store::codes::AttachmentState;
use tokio::task::JoinSet;

use super::told;
use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// Chunks that are on their way at once: no more are sent again where a process ends.
pub(super) const AT_ONCE: usize = 3;

/// Waits for one to end, and takes those that have ended as well. Nothing where none is left.
pub(super) async fn ended<T: 'static>(
    going: &mut JoinSet<Result<T, Error>>,
) -> Vec<Result<T, Error>> {
    let mut ended = Vec::new();
    let mut next = going.join_next().await;
    while let Some(one) = next {
        ended.push(one.unwrap_or(Err(Error::Internal("a chunk's task ended early"))));
        next = going.try_join_next();
    }
    ended
}

/// These are durable at their end. False where the transfer was given up meanwhile.
pub(super) async fn note(
    unlocked: &Arc<Unlocked>,
    stored: &Stored,
    state: AttachmentState,
    indices: &[u32],
) -> Result<bool, Error> {
    if indices.is_empty() {
        return Ok(true);
    }
    let mut journal = Journal::begin(unlocked).await?;
    for index in indices {
        let noted = transfers::note_chunk(journal.tx(), stored.life(), state, *index).await?;
        let Some(chunks) = noted else {
            return Ok(false);
        };
        told::progress(&mut journal, stored, chunks).await?;
    }
    journal.commit().await?;
    Ok(true)
}
