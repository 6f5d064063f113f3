//! Following the event log: rows are read when there is room for them, and a number tells that there are more.

use connect_store::codes::EventKind;
use connect_store::cursors;
use connect_store::events::{self, Event};
use tokio::sync::watch;

use crate::audit;
use crate::error::{Error, Reason};
use crate::unlocked::Unlocked;

/// Events after `after`, oldest first.
pub async fn list(unlocked: &Unlocked, after: u64, limit: u32) -> Result<Vec<Event>, Error> {
    Ok(events::list(&unlocked.store, after, limit).await?)
}

/// As `list`, of these kinds alone; of all where none are named.
pub async fn list_of(
    unlocked: &Unlocked,
    kinds: Option<&[EventKind]>,
    after: u64,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    match kinds {
        None => list(unlocked, after, limit).await,
        Some(kinds) => Ok(events::list_of(&unlocked.store, kinds, after, limit).await?),
    }
}

/// The events `from..=to` that came after `after` and are no longer kept.
pub async fn expired(unlocked: &Unlocked, after: u64) -> Result<Option<(u64, u64)>, Error> {
    let newest = events::last_id(&unlocked.store).await?;
    let oldest = events::first_id(&unlocked.store)
        .await?
        .unwrap_or(newest + 1);
    let next = after.saturating_add(1);
    Ok((next < oldest).then(|| (next, oldest - 1)))
}

/// Refuses an id that no event has yet.
pub async fn check_reached(
    unlocked: &Unlocked,
    field: &'static str,
    event_id: u64,
) -> Result<(), Error> {
    // An event may be committed, and read, a moment before it is announced.
    if event_id > unlocked.newest_event() && event_id > events::last_id(&unlocked.store).await? {
        return Err(Error::invalid(field, Reason::OutOfRange));
    }
    Ok(())
}

/// Moves an app's cursor on to an event, never back, and tells where it stands.
pub async fn acknowledge(unlocked: &Unlocked, app: &str, event_id: u64) -> Result<u64, Error> {
    check_reached(unlocked, "event_id", event_id).await?;
    let mut tx = unlocked.store.begin().await?;
    let stands = cursors::advance(&mut tx, app, event_id).await?;
    audit::commit(tx, unlocked).await?;
    Ok(stands)
}

/// After which event an app is told more: the one that it names, or its cursor, or the newest.
pub async fn start(unlocked: &Unlocked, app: &str, after: Option<u64>) -> Result<u64, Error> {
    // "From now on" is settled here: what happens before the subscription runs is replayed.
    let newest = unlocked.newest_event();
    match after {
        Some(after) => check_reached(unlocked, "after", after)
            .await
            .map(|()| after),
        None => Ok(cursors::find(&unlocked.store, app).await?.unwrap_or(newest)),
    }
}

/// Changes when an event was committed.
pub fn follow(unlocked: &Unlocked) -> watch::Receiver<u64> {
    unlocked.newest_event.subscribe()
}
