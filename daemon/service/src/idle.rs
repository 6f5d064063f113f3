//! The idle lock: after a while without an interactive call the keys are wiped, or covered (§10.2, D23). Sync does not extend it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::session::{Locking, Phase, Session};

/// The wall clock may leap, and the host may have slept: it is looked at this often while a session is open.
const LOOK: Duration = Duration::from_secs(30);
/// And no more often than this.
const REST: Duration = Duration::from_secs(1);

impl Session {
    pub fn locking(&self) -> Locking {
        self.config.locking
    }

    /// Someone uses the open session.
    pub fn note_use(&self) {
        self.last_use_ms
            .store(self.clock.now_ms(), Ordering::SeqCst);
    }

    /// Nobody has used the open session for too long.
    pub fn is_idle(&self) -> bool {
        self.idle_left().is_some_and(|left| left.is_zero())
    }

    /// Locks, if nobody has used the session for too long.
    pub async fn lock_if_idle(&self) -> Result<(), Error> {
        if self.is_idle() {
            tracing::info!("nobody used the session: it is locked");
            self.lock_for_absence().await?;
        }
        Ok(())
    }

    /// Nobody is at the session: it is covered or wiped, as configured. Where there is none, nothing is done.
    pub async fn lock_for_absence(&self) -> Result<(), Error> {
        if self.config.locking.covers {
            return self.cover().await;
        }
        match self.lock().await {
            Err(Error::NotEnrolled | Error::Revoked) => Ok(()),
            locked => locked,
        }
    }

    /// Until the session is locked; `None` where it is not open, or stays so.
    fn idle_left(&self) -> Option<Duration> {
        let limit_ms = self.config.locking.idle_lock_ms?;
        if !matches!(self.phase(), Phase::Unlocked(_)) {
            return None;
        }
        let now_ms = self.clock.now_ms();
        // A clock that was set back begins the time anew, and does not add to it.
        let last_ms = self
            .last_use_ms
            .fetch_min(now_ms, Ordering::SeqCst)
            .min(now_ms);
        let left_ms = limit_ms.saturating_sub(now_ms - last_ms);
        Some(Duration::from_millis(left_ms))
    }
}

/// Locks whenever it is time to, until the process ends.
pub async fn run(session: Arc<Session>, ending: CancellationToken) {
    let mut phase = session.follow();
    loop {
        if let Err(error) = session.lock_if_idle().await {
            tracing::warn!(%error, "an idle session was not locked");
        }
        let left = session.idle_left();
        let again = async {
            match left {
                Some(left) => tokio::time::sleep(left.clamp(REST, LOOK)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ending.cancelled() => return,
            () = again => {}
            changed = phase.changed() => if changed.is_err() { return },
        }
    }
}
