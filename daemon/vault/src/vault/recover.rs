//! Coming in by the recovery key, and changing it (D23).

use connect_proto::ids::UserId;
use rand_core::CryptoRngCore;

use super::portable::Portable;
use super::{Vault, sealing, take_turn};
use crate::attempts::AttemptTime;
use crate::disk;
use crate::error::{ChangePinError, RecoverError, VaultError};
use crate::keys::Keys;
use crate::keystore::{KeystoreSecret, SecretId};
use crate::recovery::RecoveryKey;
use crate::sealed::Sealed;
use sealing::{CannotUnseal, SealUnder};

impl Vault {
    /// Whether the account has a recovery key.
    pub fn has_recovery_key(&self) -> Result<bool, VaultError> {
        let _turn = take_turn();
        Ok(self.read()?.is_some_and(|sealed| sealed.recovery.is_some()))
    }

    /// What of the keys goes into a backup; none where there is no recovery key that would open it.
    pub fn portable(&self) -> Result<Option<Portable>, VaultError> {
        let _turn = take_turn();
        let Some(sealed) = self.read()? else {
            return Ok(None);
        };
        let owner = sealed.header.owner;
        let wrapped = sealed.wrapped;
        Ok(sealed
            .recovery
            .map(|recovery| Portable::new(&owner, recovery, wrapped)))
    }

    /// Opens the keys and seals them under a new PIN, in the keystore that is configured now. It takes neither the old PIN
    /// nor the old keystore, and what was counted is forgiven.
    pub fn recover(
        &self,
        key: &RecoveryKey,
        new_pin: &str,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Keys, RecoverError> {
        let _turn = take_turn();
        self.check_new_pin(new_pin).map_err(VaultError::from)?;
        let old = self.read()?.ok_or(RecoverError::NotEnrolled)?;
        let opened = sealing::open_by_recovery(&old, key).map_err(|error| match error {
            CannotUnseal::WrongPin | CannotUnseal::OutOfMemory => RecoverError::WrongKey,
            CannotUnseal::Damaged => RecoverError::Vault(VaultError::Damaged),
        })?;
        let (secret_id, secret) = self.secret_for(&old, rng)?;
        let under = SealUnder {
            keystore: self.keystore.kind(),
            secret_id,
            secret: &secret,
            cost: self.cost,
            pin: new_pin,
        };
        let sealed = sealing::reseal(old, &opened.master, under, rng)
            .and_then(|sealed| disk::replace(&self.path(), &sealed.encode()));
        // A secret that was made for this stays, whatever failed: the file may name it already, and alone it opens nothing.
        sealed.map_err(VaultError::from)?;
        self.ledger.clear().map_err(VaultError::from)?;
        Ok(opened)
    }

    /// The keystore's secret of these keys where it is still there, or a new one.
    fn secret_for(
        &self,
        old: &Sealed,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Option<SecretId>, KeystoreSecret), VaultError> {
        if let Ok(secret) = self.secret_of(old) {
            return Ok((old.header.secret_id.clone(), secret));
        }
        Ok(self.keystore.create(rng)?)
    }

    /// Puts another recovery key in the place of the one there is, which opens nothing from then on. The PIN is an attempt
    /// like any other.
    pub fn set_recovery_key(
        &self,
        pin: &str,
        key: &RecoveryKey,
        now: &AttemptTime,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), ChangePinError> {
        let _turn = take_turn();
        let (mut sealed, secret) = self.sealed_and_secret()?;
        let opened = self.evaluate(&sealed, &secret, pin, now)?;
        let owner: &UserId = &opened.owner;
        let boxed = sealing::seal_for_recovery(&opened.master, owner, key, rng);
        sealed.recovery = Some(boxed);
        disk::replace(&self.path(), &sealed.encode()).map_err(VaultError::from)?;
        Ok(())
    }
}
