//! What is done now and then: events that have been kept long enough go.

use std::sync::Arc;
use std::time::Duration;

use connect_store::events;

use crate::error::Error;
use crate::unlocked::Unlocked;

/// How long events are kept (`rpc.md`).
const EVENTS_KEPT_MS: u64 = 30 * 24 * 3600 * 1000;
const PERIOD: Duration = Duration::from_hours(1);
/// Rows that go in one transaction: nobody waits long for the database.
const AT_ONCE: u32 = 1000;

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    loop {
        if let Err(error) = expire_events(&unlocked).await {
            tracing::warn!(%error, "old events were not removed");
        }
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

async fn expire_events(unlocked: &Unlocked) -> Result<(), Error> {
    let before_ms = unlocked.clock.now_ms().saturating_sub(EVENTS_KEPT_MS);
    while !unlocked.ending.is_cancelled() {
        let mut tx = unlocked.store.begin().await?;
        let gone = events::expire(&mut tx, before_ms, AT_ONCE).await?;
        tx.commit().await?;
        if gone < u64::from(AT_ONCE) {
            break;
        }
    }
    Ok(())
}
