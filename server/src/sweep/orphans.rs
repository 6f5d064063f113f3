//! What a crash left behind in the store of chunks: bytes that were durable before any row spoke of them.

use std::time::Duration;

use super::SweepError;
use crate::http::App;
use crate::store::chunks;

/// How often all that lies there is looked at.
pub(super) const EVERY: Duration = Duration::from_hours(24);

/// Removes them all; what is being written meanwhile is no orphan. Answers how many there were.
pub(super) async fn remove(app: &App) -> Result<u64, SweepError> {
    let mut removed = 0;
    for folder in app.chunks.folders().await? {
        if app.stopping.is_cancelled() {
            break;
        }
        removed += app.chunks.remove_unfinished(&folder).await?;
        let listed = app.chunks.listed(&folder).await?;
        // In this order: what was listed and is not being written any more has its row by now, or never will.
        let settled = listed
            .into_iter()
            .filter(|name| !app.chunks.is_written(name));
        let orphans = chunks::unknown(app.store.readers(), settled.collect()).await?;
        removed += orphans.len() as u64;
        app.chunks.remove(orphans).await?;
    }
    if removed > 0 {
        tracing::info!(removed, "chunks that a crash left behind are removed");
    }
    Ok(removed)
}
