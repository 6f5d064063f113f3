//! What is done now and then: events and messages that have been kept long enough go.
//!
//! Time is the relay's here: a clock that jumps ahead must not take everything with it. A daemon that has not heard from
//! its relay since it was unlocked removes nothing.

use std::sync::Arc;
use std::time::Duration;

use connect_proto::routes::ATTACHMENT_DAYS;
use connect_store::cases::{copies, copying, entries};
use connect_store::{amendments, events, outgoing, received, retention, unopened};

use crate::attachments::here;
use crate::error::Error;
use crate::unlocked::Unlocked;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// How long events are kept (`rpc.md`).
const EVENTS_KEPT_MS: u64 = 30 * DAY_MS;
/// How long it is known which receipts and edits came and went: twice as long as a relay may deliver them again.
const CONTROLS_KEPT_MS: u64 = 60 * DAY_MS;
/// How long what could not be opened is missed: no relay has it by then, and its sender was asked in vain.
const UNOPENED_MISSED_MS: u64 = 30 * DAY_MS;
/// How long an amendment waits for its message, which the relay keeps for less.
const EARLY_KEPT_MS: u64 = 31 * DAY_MS;
/// How long it is known which copies of attachments were brought to the relay: it has none of them for longer.
const COPIES_KNOWN_MS: u64 = (ATTACHMENT_DAYS + 1) * DAY_MS;
const PERIOD: Duration = Duration::from_hours(1);
/// Rows that go in one transaction: nobody waits long for the database.
const AT_ONCE: u32 = 1000;
/// A message goes with its recipients, its references and every word of it in the search index.
const MESSAGES_AT_ONCE: u32 = 25;

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut time = unlocked.relay_time.subscribe();
    let mut policy = unlocked.policy.subscribe();
    loop {
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            _ = time.wait_for(Option::is_some) => {}
        }
        policy.mark_unchanged();
        if let Err(error) = expire(&unlocked).await {
            tracing::warn!(%error, "what is old was not removed");
        }
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = tokio::time::sleep(PERIOD) => {}
            _ = policy.changed() => {}
        }
    }
}

/// Removes what is old by the relay's time.
pub async fn expire(unlocked: &Unlocked) -> Result<(), Error> {
    let Some(now_ms) = *unlocked.relay_time.borrow() else {
        return Ok(());
    };
    expire_events(unlocked, now_ms.saturating_sub(EVENTS_KEPT_MS)).await?;
    forget_controls(unlocked, now_ms.saturating_sub(CONTROLS_KEPT_MS)).await?;
    give_up_unopened(unlocked, now_ms.saturating_sub(UNOPENED_MISSED_MS)).await?;
    forget_copies(unlocked, now_ms.saturating_sub(COPIES_KNOWN_MS)).await?;
    forget_early_amendments(unlocked, now_ms.saturating_sub(EARLY_KEPT_MS)).await?;
    expire_messages_and_quarantined(unlocked, now_ms).await?;
    here::tidy(unlocked, false).await
}

async fn expire_messages_and_quarantined(unlocked: &Unlocked, now_ms: u64) -> Result<(), Error> {
    let Some(days) = unlocked.policy().retention_days else {
        return Ok(());
    };
    let before_ms = now_ms.saturating_sub(u64::from(days) * DAY_MS);
    let removed = expire_messages(unlocked, before_ms).await?;
    if removed + expire_quarantined(unlocked, before_ms).await? > 0 {
        unlocked.store.empty_log().await?;
    }
    Ok(())
}

async fn expire_events(unlocked: &Unlocked, before_ms: u64) -> Result<(), Error> {
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

async fn forget_controls(unlocked: &Unlocked, before_ms: u64) -> Result<(), Error> {
    while !unlocked.ending.is_cancelled() {
        let mut tx = unlocked.store.begin().await?;
        let came = received::forget_controls(&mut tx, before_ms, AT_ONCE).await?;
        let went = outgoing::forget_controls(&mut tx, before_ms, AT_ONCE).await?;
        tx.commit().await?;
        if came.max(went) < u64::from(AT_ONCE) {
            break;
        }
    }
    Ok(())
}

async fn give_up_unopened(unlocked: &Unlocked, before_ms: u64) -> Result<(), Error> {
    if unlocked.counters.unopened() == 0 {
        return Ok(());
    }
    let mut tx = unlocked.store.begin().await?;
    let gone = unopened::give_up(&mut tx, before_ms).await?;
    tx.commit().await?;
    let gone = i64::try_from(gone).unwrap_or(i64::MAX);
    unlocked.counters.change_unopened(gone.saturating_neg());
    Ok(())
}

async fn forget_copies(unlocked: &Unlocked, before_ms: u64) -> Result<(), Error> {
    while !unlocked.ending.is_cancelled() {
        let mut tx = unlocked.store.begin().await?;
        let made = copying::expire(&mut tx, before_ms, AT_ONCE).await?;
        let told = copies::expire(&mut tx, before_ms, AT_ONCE).await?;
        tx.commit().await?;
        if made.max(told) < u64::from(AT_ONCE) {
            break;
        }
    }
    Ok(())
}

async fn forget_early_amendments(unlocked: &Unlocked, before_ms: u64) -> Result<(), Error> {
    while !unlocked.ending.is_cancelled() {
        let mut tx = unlocked.store.begin().await?;
        let gone = amendments::expire_early(&mut tx, before_ms, AT_ONCE).await?;
        tx.commit().await?;
        if gone < u64::from(AT_ONCE) {
            break;
        }
    }
    Ok(())
}

async fn expire_messages(unlocked: &Unlocked, before_ms: u64) -> Result<u64, Error> {
    let mut removed = 0;
    while !unlocked.ending.is_cancelled() {
        let mut tx = unlocked.store.begin().await?;
        let gone = retention::remove_messages(&mut tx, before_ms, MESSAGES_AT_ONCE).await?;
        let sealed = entries::expire(&mut tx, before_ms, MESSAGES_AT_ONCE).await?;
        tx.commit().await?;
        removed += gone;
        if gone + sealed == 0 {
            break;
        }
    }
    Ok(removed)
}

async fn expire_quarantined(unlocked: &Unlocked, before_ms: u64) -> Result<u64, Error> {
    let mut removed = 0;
    while !unlocked.ending.is_cancelled() {
        let mut tx = unlocked.store.begin().await?;
        let gone = retention::remove_quarantined(&mut tx, before_ms, AT_ONCE).await?;
        tx.commit().await?;
        unlocked.counters.remove_quarantined(gone);
        removed += gone;
        if gone == 0 {
            break;
        }
    }
    Ok(removed)
}
