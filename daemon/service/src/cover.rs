//! The lesser of the two locks: callers are shut out, while keys stay in memory and sync goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use connect_store::codes::EventKind;
use connect_vault::keys::Keys;

use crate::error::{Error, Reason};
use crate::session::{Phase, Session, note};
use crate::unlocked::Unlocked;

impl Session {
    /// Shuts callers out until the PIN is shown again. What is under way ends as it would have.
    pub async fn cover(&self) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        let Phase::Unlocked(unlocked) = self.phase() else {
            return Ok(());
        };
        // Whatever the disk says: shut out they are.
        if let Err(error) = note(&unlocked, EventKind::SessionLocked).await {
            tracing::warn!(%error, "the lock was not written down");
        }
        let last_event = unlocked.newest_event();
        self.is_now(Phase::Covered {
            unlocked,
            last_event,
        });
        Ok(())
    }

    /// Callers have proven to be the owner: with the keys that they opened, or with those that are in memory already.
    pub(crate) async fn let_in(&self, keys: Keys) -> Result<(), Error> {
        let Phase::Covered { unlocked, .. } = self.phase() else {
            return self.enter(keys, &self.account_dir()).await;
        };
        drop(keys);
        self.note_keys();
        self.lift(unlocked).await
    }

    /// Whether a person who shows to be the owner is let in without the PIN now (§4.1.3): over keys that are in memory, and
    /// not for ever after they were opened.
    pub fn may_uncover(&self) -> Result<(), Error> {
        match self.phase() {
            Phase::Unlocked(_) => return Ok(()),
            Phase::Covered { .. } => {}
            Phase::Locked => return Err(Error::Locked),
            Phase::Unenrolled => return Err(Error::NotEnrolled),
            Phase::Revoked => return Err(Error::Revoked),
        }
        let limit_ms = self.config.locking.presence_ms;
        let limit_ms = limit_ms.ok_or(Error::invalid("presence", Reason::NotSupported))?;
        // A clock that was set back gives no time.
        let since_ms = self
            .clock
            .now_ms()
            .checked_sub(self.last_key_ms.load(Ordering::SeqCst));
        match since_ms {
            Some(since_ms) if since_ms < limit_ms => Ok(()),
            _ => Err(Error::invalid("presence", Reason::Expired)),
        }
    }

    /// The person at the host has shown to be the owner.
    pub async fn uncover(&self) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        self.may_uncover()?;
        match self.phase() {
            Phase::Covered { unlocked, .. } => self.lift(unlocked).await,
            _ => Ok(()),
        }
    }

    async fn lift(&self, unlocked: Arc<Unlocked>) -> Result<(), Error> {
        note(&unlocked, EventKind::SessionUnlocked).await?;
        self.note_use();
        self.is_now(Phase::Unlocked(unlocked));
        Ok(())
    }

    /// Someone had what opens the keys.
    pub(crate) fn note_keys(&self) {
        self.last_key_ms
            .store(self.clock.now_ms(), Ordering::SeqCst);
    }

    /// The session for who follows its events, and the last one that may be told: of a covered session the one that says so.
    pub fn followed(&self) -> Option<(Arc<Unlocked>, u64)> {
        match self.phase() {
            Phase::Unlocked(unlocked) => Some((unlocked, u64::MAX)),
            Phase::Covered {
                unlocked,
                last_event,
            } => Some((unlocked, last_event)),
            Phase::Locked | Phase::Unenrolled | Phase::Revoked => None,
        }
    }
}
