//! The recovery key: in without PIN and keystore, and making another one (D23).

use std::path::Path;
use std::sync::atomic::Ordering;

use connect_vault::attempts::host_boot_time;
use connect_vault::recovery::RecoveryKey;
use connect_vault::vault::{RecoverError, Vault};
use zeroize::Zeroizing;

use crate::chance::Chance;
use crate::error::{Error, Reason};
use crate::opening::from_vault;
use crate::pin::{enter, from_change};
use crate::session::{Phase, Session};

impl Session {
    /// Seals the keys under `new_pin` and opens the session, if it is not open. Every attempt by PIN is forgiven.
    pub async fn recover(&self, key: RecoveryKey, new_pin: Zeroizing<String>) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        let phase = self.phase();
        match phase {
            Phase::Locked | Phase::Covered { .. } | Phase::Unlocked(_) => {}
            Phase::Unenrolled => return Err(Error::NotEnrolled),
            Phase::Revoked => return Err(Error::Revoked),
        }
        let dir = self.account_dir();
        let vault = self.vault(&dir);
        let mut rng = self.chance.clone();
        // Argon2, once.
        let recovered = tokio::task::spawn_blocking(move || {
            vault
                .recover(&key, &new_pin, &mut rng)
                .map_err(from_recover)
        });
        let keys = recovered
            .await
            .map_err(|_| Error::Internal("recovery ended early"))??;
        match phase {
            Phase::Unlocked(_) => Ok(()),
            _ => self.let_in(keys).await,
        }
    }

    /// The PIN is an attempt like any other (D23).
    pub async fn set_recovery_key(
        &self,
        pin: Zeroizing<String>,
        key: RecoveryKey,
    ) -> Result<(), Error> {
        let _turn = self.changing.lock().await;
        let unlocked = self.unlocked()?;
        let vault = self.vault(&self.account_dir());
        set(vault, pin, key, self.chance.clone()).await?;
        unlocked.has_recovery_key.store(true, Ordering::Relaxed);
        enter(&unlocked).await;
        Ok(())
    }

    pub(crate) async fn has_recovery_key(&self, dir: &Path) -> Result<bool, Error> {
        let vault = self.vault(dir);
        let read = tokio::task::spawn_blocking(move || vault.has_recovery_key());
        read.await
            .map_err(|_| Error::Internal("reading the sealed keys ended early"))?
            .map_err(|error| from_vault(error, "recovery_key"))
    }
}

pub(crate) async fn set(
    vault: Vault,
    pin: Zeroizing<String>,
    key: RecoveryKey,
    mut rng: Chance,
) -> Result<(), Error> {
    let set = tokio::task::spawn_blocking(move || {
        let now = host_boot_time().map_err(|_| Error::Internal("boot clock"))?;
        vault
            .set_recovery_key(&pin, &key, &now, &mut rng)
            .map_err(from_change)
    });
    set.await
        .map_err(|_| Error::Internal("setting the recovery key ended early"))?
}

fn from_recover(error: RecoverError) -> Error {
    match error {
        RecoverError::NotEnrolled => Error::NotEnrolled,
        RecoverError::WrongKey => Error::invalid("recovery_key", Reason::Mismatch),
        RecoverError::Vault(error) => from_vault(error, "new_pin"),
    }
}
