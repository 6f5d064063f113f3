//! Rotation (§5.1): new keys lie beside those in force until the relay knows of them; neither is ever lost.

use connect_core::boxes::CannotOpen;
use connect_core::secret::{BoxSecretKey, LocalFileKey};
use rand_core::CryptoRngCore;

use super::{Vault, sealing, take_turn};
use crate::disk;
use crate::error::VaultError;
use crate::keys::NextKeys;
use crate::sealed::Sealed;

impl Vault {
    /// Puts the keys of a rotation beside those in force. Once this returns, they are durable.
    pub fn add_next(
        &self,
        under: &LocalFileKey,
        next: &NextKeys,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), VaultError> {
        let _turn = take_turn();
        let mut sealed = self.there()?;
        sealing::add_next(&mut sealed, under, next, rng);
        Ok(disk::replace(&self.path(), &sealed.encode())?)
    }

    /// The keys of the rotation are in force now, and the Box Key `before` them is kept as a retired one. Done once, it may
    /// be repeated.
    pub fn promote_next(
        &self,
        under: &LocalFileKey,
        before: &BoxSecretKey,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), VaultError> {
        let _turn = take_turn();
        let mut sealed = self.there()?;
        sealing::promote_next(&mut sealed, under, before, rng)
            .map_err(|CannotOpen| VaultError::Damaged)?;
        Ok(disk::replace(&self.path(), &sealed.encode())?)
    }

    /// The relay does not take the keys of the rotation: they were never in force.
    pub fn drop_next(&self) -> Result<(), VaultError> {
        let _turn = take_turn();
        let mut sealed = self.there()?;
        sealed.wrapped.next = None;
        Ok(disk::replace(&self.path(), &sealed.encode())?)
    }

    fn there(&self) -> Result<Sealed, VaultError> {
        self.read()?.ok_or(VaultError::Damaged)
    }
}
