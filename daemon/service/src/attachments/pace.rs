//! When a transfer that could not go on is tried again.

use std::time::Duration;

use connect_uplink::backoff::Backoff;

use crate::error::Error;
use crate::unlocked::Unlocked;

/// Waits as the relay says, or longer with every failure, unless something changes meanwhile: the relay is back, or the
/// disk.
pub(super) async fn rest_after(unlocked: &Unlocked, error: Error, backoff: &mut Backoff) {
    let pause = backoff.next_delay(&mut unlocked.chance.clone());
    let (pause, may_end_early) = match error {
        Error::RateLimited { retry_after_ms } => {
            (pause.max(Duration::from_millis(retry_after_ms)), false)
        }
        _ => (pause, true),
    };
    unlocked.note_storage(error);
    tracing::warn!(%error, pause_ms = pause.as_millis(), "an attachment waits");
    let mut moved = unlocked.transfers.follow();
    tokio::select! {
        () = unlocked.ending.cancelled() => {}
        _ = moved.changed(), if may_end_early => {}
        () = unlocked.store.condition().healed() => {}
        () = tokio::time::sleep(pause) => {}
    }
}
