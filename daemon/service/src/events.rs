//! Following the event log: rows are read when there is room for them, and a number tells that there are more.

use connect_store::events::{self, Event};
use tokio::sync::watch;

use crate::error::Error;
use crate::unlocked::Unlocked;

/// Events after `after`, oldest first.
pub async fn list(unlocked: &Unlocked, after: u64, limit: u32) -> Result<Vec<Event>, Error> {
    Ok(events::list(&unlocked.store, after, limit).await?)
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

/// Changes when an event was committed.
pub fn follow(unlocked: &Unlocked) -> watch::Receiver<u64> {
    unlocked.newest_event.subscribe()
}
