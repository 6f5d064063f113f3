//! The end of an installation that was revoked: marked, told, the keys wiped, the database closed.

use std::sync::{Arc, Weak};

use connect_store::codes::EventKind;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::revoked::{Revocation, mark};
use crate::session::{Phase, Session, note};
use crate::unlocked::Unlocked;

impl Session {
    async fn is_dismissed(&self, session: &Weak<Unlocked>, why: Revocation) {
        let _turn = self.changing.lock().await;
        let Some(unlocked) = session.upgrade() else {
            return;
        };
        let is_at_work = self
            .at_work()
            .is_some_and(|now| Arc::ptr_eq(&now, &unlocked));
        if is_at_work {
            self.revoke(&unlocked, why).await;
        }
    }

    /// Durable first; then it is told, the loops end, the keys go and the database is closed.
    pub(crate) async fn revoke(&self, unlocked: &Arc<Unlocked>, why: Revocation) {
        // Whatever the disk says: after a restart the relay says it again.
        if let Err(error) = self.mark_revoked(why) {
            tracing::warn!(%error, "that the installation was revoked was not written down");
        }
        tracing::warn!(?why, "this installation was revoked");
        if let Err(error) = note(unlocked, EventKind::InstallationRevoked).await {
            tracing::warn!(%error, "no event tells of the revocation");
        }
        self.leave(unlocked, Phase::Revoked).await;
    }

    fn mark_revoked(&self, why: Revocation) -> Result<(), Error> {
        mark(&self.account_dir(), why, self.clock.now_ms())
            .map_err(|error| Error::of_files(&error, "state directory"))
    }
}

/// Ends each session that the relay dismisses, until the process ends.
pub async fn attend(session: Arc<Session>, ending: CancellationToken) {
    let mut phase = session.follow();
    loop {
        phase.borrow_and_update();
        // The keys are not held meanwhile.
        let at_work = session
            .at_work()
            .map(|unlocked| (unlocked.dismissed.subscribe(), Arc::downgrade(&unlocked)));
        let dismissed = async {
            if let Some((mut dismissed, unlocked)) = at_work {
                let why = dismissed.wait_for(Option::is_some).await.ok();
                if let Some(why) = why.and_then(|why| *why) {
                    return (unlocked, why);
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            () = ending.cancelled() => return,
            changed = phase.changed() => if changed.is_err() { return },
            (unlocked, why) = dismissed => session.is_dismissed(&unlocked, why).await,
        }
    }
}
