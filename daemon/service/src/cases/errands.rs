//! What of a case takes the relay and need not hold anyone up: participants looked up, keys that are due, histories.

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_proto::ids::UserId;
use connect_store::cases::due::{self, Due};
use connect_store::cases::history as past;
use connect_store::{cases, contacts};
use connect_uplink::backoff::Backoff;

use super::history;
use crate::casework::share;
use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut backoff = Backoff::new();
    while !unlocked.ending.is_cancelled() {
        let outcome = tokio::select! {
            () = unlocked.ending.cancelled() => break,
            outcome = run_all(&unlocked) => outcome,
        };
        let pause = match outcome {
            Ok(()) => {
                backoff.reset();
                None
            }
            Err(error) => {
                unlocked.note_storage(error);
                tracing::warn!(%error, "something of a case waits");
                Some(backoff.next_delay(&mut unlocked.chance.clone()))
            }
        };
        let rest = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = unlocked.case_wake.notified() => {}
            () = rest => {}
        }
    }
}

async fn run_all(unlocked: &Arc<Unlocked>) -> Result<(), Error> {
    look_up(unlocked).await?;
    let mut failed = None;
    for due in due::list(&unlocked.store).await? {
        failed = settle(unlocked, &due).await.err().or(failed);
    }
    for case_id in past::list_awaited(&unlocked.store).await? {
        failed = history::fetch(unlocked, case_id).await.err().or(failed);
    }
    failed.map_or(Ok(()), Err)
}

/// Whoever is in a case is known here, so that the next key can be shared with it.
async fn look_up(unlocked: &Arc<Unlocked>) -> Result<(), Error> {
    let mut tx = unlocked.store.begin().await?;
    let mut users = BTreeSet::new();
    for case in cases::list_open(&mut tx).await? {
        let roster = case.control.into_iter().flat_map(|(it, _)| it.roster);
        users.extend(roster.map(|one| one.user_id));
    }
    drop(tx);
    users.remove(unlocked.user_id());
    let users: Vec<UserId> = users.into_iter().collect();
    let known = contacts::find_many(&unlocked.store, &users).await?;
    let unknown: Vec<UserId> = users
        .into_iter()
        .filter(|user| !known.contains_key(user))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    crate::contacts::refresh(unlocked, &unknown, &[]).await
}

async fn settle(unlocked: &Arc<Unlocked>, due: &Due) -> Result<(), Error> {
    if due.with_history {
        return history::send(unlocked, due).await;
    }
    let mut journal = Journal::begin(unlocked).await?;
    if contacts::find_in(journal.tx(), &due.user_id)
        .await?
        .is_none()
        || !due::settle(journal.tx(), due).await?
    {
        return Ok(());
    }
    let case = cases::find_in(journal.tx(), due.case_id).await?;
    if let Some(case) = case
        && let Some((control, _)) = &case.control
        && control.has(&due.user_id)
    {
        share::queue(&mut journal, &case, control, &due.user_id, None).await?;
    }
    Ok(journal.commit().await?)
}
