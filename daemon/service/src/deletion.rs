//! Deleting the account: at the relay first, then here, where what was written stays sealed unless it is to be erased.

use std::path::Path;

use connect_uplink::error::UplinkError;
use zeroize::Zeroizing;

use crate::enroll::{remove_account, sync};
use crate::error::Error;
use crate::opening::open_vault;
use crate::pin::enter;
use crate::revoked::Revocation;
use crate::session::{Phase, Session};
use crate::unlocked::Unlocked;

/// An account on its way out: it is no account any more, whatever is left of it.
const ERASING_DIR: &str = "account.erasing";

impl Session {
    /// The PIN is an attempt like any other (D23). An installation that was revoked has nothing left but to be erased.
    pub async fn delete_account(&self, pin: Zeroizing<String>, erase: bool) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        let phase = self.phase();
        match &phase {
            Phase::Unlocked(_) => {}
            Phase::Revoked if erase => {}
            Phase::Revoked => return Err(Error::Revoked),
            Phase::Locked | Phase::Covered { .. } => return Err(Error::Locked),
            Phase::Unenrolled => return Err(Error::NotEnrolled),
        }
        let dir = self.account_dir();
        drop(open_vault(self.vault(&dir), pin).await?);
        if let Phase::Unlocked(unlocked) = phase {
            tokio::select! {
                // Repeated, it finds out what became of it.
                () = self.ending.cancelled() => return Err(Error::RelayUnreachable),
                asked = ask_relay(&unlocked) => asked?,
            }
            enter(&unlocked).await;
            self.revoke(&unlocked, Revocation::Revoked).await;
        }
        if erase {
            self.erase(&dir).await?;
        }
        Ok(())
    }

    /// Gone in one rename; what is left after a crash goes at the next start.
    async fn erase(&self, dir: &Path) -> Result<(), Error> {
        let erasing = self.state_dir().join(ERASING_DIR);
        remove_account(self, &erasing).await?;
        std::fs::rename(dir, &erasing)
            .map_err(|error| Error::of_files(&error, "state directory"))?;
        sync(self.state_dir())?;
        self.doors.close();
        self.is_now(Phase::Unenrolled);
        remove_account(self, &erasing).await
    }

    /// Called when the daemon starts.
    pub async fn finish_erasing(&self) -> Result<(), Error> {
        let erasing = self.state_dir().join(ERASING_DIR);
        if erasing.is_dir() {
            remove_account(self, &erasing).await?;
        }
        Ok(())
    }
}

/// An answer that was lost is found out when it is asked again: the relay says that the key is in force no more.
async fn ask_relay(unlocked: &Unlocked) -> Result<(), Error> {
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let me = unlocked.me();
    let asked = unlocked
        .uplink
        .delete_account(me.credentials(), now_ms, &mut chance);
    match asked.await {
        Ok(()) => Ok(()),
        Err(UplinkError::Unauthorized) if unlocked.follow_dismissal(None) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
