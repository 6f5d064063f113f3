//! What time ends is swept away every half minute, in steps small enough to let requests pass in between.

mod orphans;
mod removal;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::chunks::ChunkError;
use crate::http::App;
use crate::store::ChangeError;
use crate::store::expiry::{self, Sweep};

const EVERY: Duration = Duration::from_secs(30);

/// Sweeps until the relay stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while app
        .stopping
        .run_until_cancelled(ticks.tick())
        .await
        .is_some()
    {
        app.throttle.sweep();
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "a sweep was not finished");
        }
    }
}

/// The sweep was not finished: the database cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("the database cannot be read: {0}")]
    Read(#[from] sqlx::Error),
    #[error("the database cannot be written")]
    Write,
    #[error(transparent)]
    Chunks(#[from] ChunkError),
}

impl From<ChangeError> for SweepError {
    fn from(_: ChangeError) -> Self {
        Self::Write
    }
}

/// Removes chunks that nobody finds any more as soon as there are some, and once a day those that nothing speaks of.
pub(crate) async fn run_removals(app: Arc<App>) {
    let mut days = interval(orphans::EVERY);
    days.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let removed = tokio::select! {
            biased;
            () = app.stopping.cancelled() => return,
            _ = days.tick() => orphans::remove(&app).await.map(drop),
            () = app.removals.notified() => removal::run(&app).await,
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "chunks are still to be removed");
        }
    }
}

/// Removes chunks of which no row speaks; answers how many there were.
pub(crate) async fn remove_orphans(app: &App) -> Result<u64, SweepError> {
    orphans::remove(app).await
}

/// Removes all that is due now. Chunks are removed also where the database has no room left: that may be what makes some.
pub(crate) async fn sweep(app: &App) -> Result<(), SweepError> {
    let expired = expire(app).await;
    let removed = removal::run(app).await;
    expired.and(removed)
}

async fn expire(app: &App) -> Result<(), SweepError> {
    // One at a time: a sweep that saw an earlier time and is noted last would look like a clock that leaps.
    let _turn = app.sweeping.lock().await;
    while !app.stopping.is_cancelled() {
        let now_ms = app.clock.now_ms();
        let overdue = expiry::overdue(app.store.readers(), now_ms).await?;
        let step = Sweep {
            now_ms,
            overdue,
            secret: Arc::clone(&app.secret),
        };
        if !app.store.change(None, step).await? {
            break;
        }
    }
    Ok(())
}
