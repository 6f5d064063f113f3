//! The loops that move chunks: two attachments at a time each way, the smallest first.

use std::sync::Arc;

use connect_proto::ids::AttachmentId;
use connect_store::attachments::{self, AttachmentRow, Stored, transfers};
use connect_store::codes::AttachmentState;
use connect_uplink::attachments::AttachmentOutcome;
use connect_uplink::backoff::Backoff;

use super::{fetching, pace, sending};
use crate::error::Error;
use crate::transfers::Errand;
use crate::unlocked::Unlocked;

/// Attachments that are moved at once, each way.
pub(crate) const AT_ONCE: usize = 2;
/// Of those that wait, and have not failed.
const LOOKED_AT: u32 = 100;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToTheRelay,
    Here,
}

impl Way {
    const fn state(self) -> AttachmentState {
        match self {
            Self::ToTheRelay => AttachmentState::Uploading,
            Self::Here => AttachmentState::Downloading,
        }
    }
}

pub(crate) async fn run(unlocked: Arc<Unlocked>, way: Way) {
    let mut backoff = Backoff::new();
    let mut moved = unlocked.transfers.follow();
    while !unlocked.ending.is_cancelled() {
        moved.borrow_and_update();
        let outcome = tokio::select! {
            () = unlocked.ending.cancelled() => break,
            outcome = one_turn(&unlocked, way) => outcome,
        };
        match outcome {
            Ok(true) => backoff.reset(),
            Ok(false) => tokio::select! {
                () = unlocked.ending.cancelled() => break,
                _ = moved.changed() => {}
            },
            Err(error) => pace::rest_after(&unlocked, error, &mut backoff).await,
        }
    }
}

/// Whether there was anything to do.
async fn one_turn(unlocked: &Arc<Unlocked>, way: Way) -> Result<bool, Error> {
    let Some((work, turn)) = next(unlocked, way).await? else {
        return Ok(false);
    };
    let errand = work.errand();
    let outcome = match work {
        Work::Move(listed) => transfer(unlocked, way, &listed).await,
        Work::Remove(id, _) => remove(unlocked, id).await,
    };
    unlocked.transfers.note_outcome(errand, outcome.is_ok());
    if way == Way::Here && outcome.is_ok() {
        // A removal may have waited for it to be nobody's.
        drop(turn);
        unlocked.transfers.wake();
    }
    outcome.map(|()| true)
}

/// Something that waits to be done.
enum Work {
    Move(Box<Stored>),
    /// And where it is here: what is on its way to the relay must not come after its removal.
    Remove(AttachmentId, Option<AttachmentRow>),
}

impl Work {
    fn errand(&self) -> Errand {
        match self {
            Self::Move(stored) => Errand::Move(stored.row),
            Self::Remove(id, _) => Errand::Remove(*id),
        }
    }
}

/// Removals first, then the smallest. What could not be done lets all others go first: one chunk that the relay cannot give,
/// or one attachment that it cannot forget, must not keep them waiting.
async fn next(unlocked: &Unlocked, way: Way) -> Result<Option<(Work, Turn<'_>)>, Error> {
    let failed = unlocked.transfers.failed.lock().clone();
    let limit = LOOKED_AT.saturating_add(u32::try_from(failed.len()).unwrap_or(u32::MAX));
    let mut waiting = Vec::new();
    if way == Way::ToTheRelay {
        let removals = transfers::list_removals(&unlocked.store, limit).await?;
        waiting.extend(removals.into_iter().map(|(id, row)| Work::Remove(id, row)));
    }
    let moves = transfers::list(&unlocked.store, way.state(), limit).await?;
    waiting.extend(moves.into_iter().map(|stored| Work::Move(Box::new(stored))));
    waiting.sort_by_key(|work| failed.get(&work.errand()).copied());
    Ok(waiting.into_iter().find_map(|work| take(unlocked, work)))
}

/// Nobody else works on it while this lives.
struct Turn<'a>(&'a Unlocked, Errand);

fn take(unlocked: &Unlocked, work: Work) -> Option<(Work, Turn<'_>)> {
    let errand = work.errand();
    let is_free = {
        let mut taken = unlocked.transfers.taken.lock();
        let is_moved = |row| taken.contains(&Errand::Move(row));
        let has_to_wait = matches!(work, Work::Remove(_, Some(row)) if is_moved(row));
        !has_to_wait && taken.insert(errand)
    };
    // Made only where it is free: its drop gives it back.
    is_free.then(|| (work, Turn(unlocked, errand)))
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.transfers.taken.lock().remove(&self.1);
    }
}

async fn transfer(unlocked: &Arc<Unlocked>, way: Way, listed: &Stored) -> Result<(), Error> {
    // Somebody may have given it up before it was ours.
    let again = attachments::find_again(&unlocked.store, listed.life()).await?;
    let Some(stored) = again.filter(|stored| stored.state == way.state()) else {
        return Ok(());
    };
    match way {
        Way::ToTheRelay => sending::send(unlocked, &stored).await,
        Way::Here => fetching::fetch(unlocked, &stored).await,
    }
}

/// Has the relay forget one that its author took back.
async fn remove(unlocked: &Arc<Unlocked>, id: AttachmentId) -> Result<(), Error> {
    let me = unlocked.me();
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let asked = unlocked
        .uplink
        .delete_attachment(me.credentials(), now_ms, &mut chance, id);
    if let AttachmentOutcome::Odd(status) = asked.await? {
        tracing::warn!(status, "the relay does not remove an attachment for now");
        return Err(Error::RelayRefused);
    }
    let mut tx = unlocked.store.begin().await?;
    transfers::removed(&mut tx, id).await?;
    Ok(tx.commit().await?)
}
