//! Changing the PIN: the same keys under another one. Old file or new file, never neither (D22).

use connect_vault::attempts::host_boot_time;
use connect_vault::vault::ChangePinError;
use zeroize::Zeroizing;

use crate::audit;
use crate::error::Error;
use crate::opening::{from_unlock, from_vault};
use crate::session::Session;
use crate::unlocked::Unlocked;

impl Session {
    /// For an administrator: attempts are counted from the beginning again (D23). Opens nothing.
    pub fn reset_attempts(&self) -> Result<(), Error> {
        let vault = self.vault(&self.account_dir());
        if !vault.exists() {
            return Err(Error::NotEnrolled);
        }
        vault
            .reset_attempts()
            .map_err(|error| from_vault(error, "pin"))
    }

    /// The old PIN is an attempt like any other, also while the session is open (D23).
    pub async fn change_pin(
        &self,
        pin: Zeroizing<String>,
        new_pin: Zeroizing<String>,
    ) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        let unlocked = self.unlocked()?;
        let vault = self.vault(&self.account_dir());
        let mut rng = self.chance.clone();
        // Argon2, twice.
        let changed = tokio::task::spawn_blocking(move || {
            let now = host_boot_time().map_err(|_| Error::Internal("boot clock"))?;
            vault
                .change_pin(&pin, &new_pin, &now, &mut rng)
                .map_err(from_change)
        });
        changed
            .await
            .map_err(|_| Error::Internal("changing the PIN ended early"))??;
        enter(&unlocked).await;
        Ok(())
    }
}

/// The files say it already: a failing disk makes it no less done, and its entry waits.
pub(crate) async fn enter(unlocked: &Unlocked) {
    if let Ok(tx) = unlocked.store.begin().await
        && let Err(error) = audit::commit(tx, unlocked).await
    {
        tracing::warn!(%error, "the audit log was not written");
    }
}

pub(crate) fn from_change(error: ChangePinError) -> Error {
    match error {
        ChangePinError::Unlock(error) => from_unlock(error),
        ChangePinError::Seal(error) => from_vault(error, "new_pin"),
    }
}
