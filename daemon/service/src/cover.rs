//! The lesser of the two locks: callers are shut out, while keys stay in memory and sync goes on.

use std::sync::Arc;

use connect_store::codes::EventKind;
use connect_vault::keys::Keys;

use crate::error::Error;
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
        note(&unlocked, EventKind::SessionUnlocked).await?;
        self.note_use();
        self.is_now(Phase::Unlocked(unlocked));
        Ok(())
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
