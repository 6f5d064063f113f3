//! Attachments of before for whoever joins a case. The relay gives a chunk to those alone who were named when it was sent: whoever
//! brings somebody in sends what lies here once more, the very same ciphertext under an id of its own (D16).
//!
//! All copies are made by one task, and it alone has them removed: none comes to the relay after its removal. It begins with the
//! smallest, whomever it is for, and anew when something is asked of it: nobody waits behind another's film.

use std::sync::Arc;

use connect_proto::ids::AttachmentId;
use connect_store::cases;
use connect_store::cases::copying::{self, Due, Here};
use tokio::time::{Instant, sleep_until};

use self::bring::{Brought, bring};
use self::efforts::Efforts;
use crate::casework::share;
use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

mod bring;
mod efforts;

/// Bytes of copies that are told of in one share, where there are more.
const TOLD_EACH: u64 = 16 << 20;
/// Plaintext bytes that are copied for one joiner, the smallest files first: each counts as ours at the relay.
const COPIED_AT_MOST: u64 = 4 << 30;

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut efforts = Efforts::new();
    let mut moved = unlocked.transfers.follow();
    while !unlocked.ending.is_cancelled() {
        moved.borrow_and_update();
        let outcome = tokio::select! {
            () = unlocked.ending.cancelled() => break,
            outcome = one_round(&unlocked, &mut efforts) => outcome,
        };
        if let Err(error) = outcome {
            efforts.rest_all(&unlocked, error);
        }
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = unlocked.copies_wake.notified() => {}
            _ = moved.changed() => {}
            () = rest(efforts.next()) => {}
        }
    }
}

async fn rest(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

async fn one_round(unlocked: &Arc<Unlocked>, efforts: &mut Efforts) -> Result<(), Error> {
    let mut sent = Ok(());
    if efforts.may_go_on() {
        sent = send_all(unlocked, efforts).await;
    }
    remove_withdrawn(unlocked).await?;
    sent
}

async fn send_all(unlocked: &Arc<Unlocked>, efforts: &mut Efforts) -> Result<(), Error> {
    while send_some(unlocked, efforts).await? == Went::Interrupted {}
    efforts.went_well();
    Ok(())
}

/// How far one went through all that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    Through,
    /// Something else may come first now.
    Interrupted,
}

/// What one joiner is to get.
struct Batch {
    due: Due,
    awaits_any: bool,
    /// At the relay, and still to be told of.
    untold: Vec<(AttachmentId, AttachmentId)>,
    bytes: u64,
    failed: Vec<Here>,
}

/// Told as they come: who joins does not look for what is not there yet. What fails keeps nothing waiting that is there.
async fn send_some(unlocked: &Arc<Unlocked>, efforts: &mut Efforts) -> Result<Went, Error> {
    let (mut batches, files) = list_all(unlocked, efforts).await?;
    let mut went = Ok(Went::Through);
    for (at, here) in files {
        remove_withdrawn(unlocked).await?;
        let Some(batch) = batches.get_mut(at) else {
            continue;
        };
        match bring(unlocked, &batch.due, here).await {
            Ok(Brought::Nothing) => {}
            Ok(Brought::There { of, copy }) => {
                batch.untold.push((of, copy));
                batch.bytes += here.size;
            }
            Ok(Brought::Impossible) => efforts.give_up(&batch.due, [here]),
            Ok(Brought::Interrupted) => went = Ok(Went::Interrupted),
            Err(error) if is_of_one_file(error) => {
                tracing::warn!(%error, "a copy of an attachment waits");
                batch.failed.push(here);
            }
            Err(error) => went = Err(error),
        }
        if went != Ok(Went::Through) {
            break;
        }
        if batch.bytes >= TOLD_EACH {
            batch.bytes = 0;
            let untold = std::mem::take(&mut batch.untold);
            tell(unlocked, &batch.due, untold, false).await?;
        }
    }
    for batch in batches {
        let is_done =
            went == Ok(Went::Through) && efforts.end_round(unlocked, &batch.due, batch.failed);
        let is_last = is_done && !batch.awaits_any;
        tell(unlocked, &batch.due, batch.untold, is_last).await?;
    }
    went
}

/// What keeps one file back, and no other.
fn is_of_one_file(error: Error) -> bool {
    matches!(
        error,
        Error::RelayRefused | Error::StorageFailed("attachment")
    )
}

/// For whom there is something to be done now, and what; the smallest first, by the place of its batch.
async fn list_all(
    unlocked: &Unlocked,
    efforts: &mut Efforts,
) -> Result<(Vec<Batch>, Vec<(usize, Here)>), Error> {
    let dues = copying::list_due(&unlocked.store).await?;
    efforts.keep(&dues);
    let (mut batches, mut files) = (Vec::new(), Vec::new());
    for due in dues {
        if efforts.rests(&due) {
            continue;
        }
        // Before what is here is listed: something may arrive meanwhile.
        let awaits_any = copying::awaits_any(&unlocked.store, &due).await?;
        let here = list(unlocked, efforts, &due).await?;
        files.extend(here.into_iter().map(|here| (batches.len(), here)));
        batches.push(Batch {
            due,
            awaits_any,
            untold: Vec::new(),
            bytes: 0,
            failed: Vec::new(),
        });
    }
    files.sort_by_key(|(_, here)| here.size);
    Ok((batches, files))
}

async fn list(unlocked: &Unlocked, efforts: &Efforts, due: &Due) -> Result<Vec<Here>, Error> {
    let mut here = copying::list_here(&unlocked.store, due).await?;
    let mut bytes = copying::count_told_bytes(&unlocked.store, due).await?;
    here.retain(|here| {
        bytes = bytes.saturating_add(here.size);
        bytes <= COPIED_AT_MOST && !efforts.has_given_up(due, *here)
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
