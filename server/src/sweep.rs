//! What time ends is swept away every half minute, in steps small enough to let requests pass in between.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::http::App;
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
}

/// Removes all that is due now.
pub(crate) async fn sweep(app: &App) -> Result<(), SweepError> {
    while !app.stopping.is_cancelled() {
        let now_ms = app.clock.now_ms();
        let overdue = expiry::overdue(app.store.readers(), now_ms).await?;
        let step = Sweep {
            now_ms,
            overdue,
            secret: Arc::clone(&app.secret),
        };
        let more = app
            .store
            .change(None, step)
            .await
            .map_err(|_| SweepError::Write)?;
        if !more {
            break;
        }
    }
    Ok(())
}
