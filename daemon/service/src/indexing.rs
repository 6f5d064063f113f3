//! The indexing loop: what was stored goes into the search index afterwards, in batches, so that no message waits for it.

use std::sync::Arc;
use std::time::Duration;

use connect_store::search;
use tokio::sync::watch;

use crate::error::Error;
use crate::unlocked::Unlocked;

/// Messages in one transaction: nobody waits long for the database.
const AT_ONCE: u32 = 128;
/// A commit for every message would compete with the message's own: a search reads what is not in the index yet.
const PAUSE: Duration = Duration::from_secs(2);
/// After this many events it goes on without a pause.
const MANY: u64 = 256;

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut events = unlocked.newest_event.subscribe();
    while !unlocked.ending.is_cancelled() {
        let seen = *events.borrow_and_update();
        if let Err(error) = catch_up(&unlocked).await {
            tracing::warn!(%error, "messages were not indexed yet");
        }
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = news(&mut events, seen) => {}
        }
    }
}

/// Comes back a while after something happened, or when much has.
async fn news(events: &mut watch::Receiver<u64>, seen: u64) {
    // The sender is never dropped before the loop ends.
    let _ = events.wait_for(|newest| *newest > seen).await;
    let many = events.wait_for(|newest| *newest >= seen + MANY);
    let _ = tokio::time::timeout(PAUSE, many).await;
}

async fn catch_up(unlocked: &Unlocked) -> Result<(), Error> {
    while !unlocked.ending.is_cancelled() && search::is_behind(&unlocked.store).await? {
        let mut tx = unlocked.store.begin().await?;
        search::index(&mut tx, AT_ONCE).await?;
        tx.commit().await?;
    }
    Ok(())
}
