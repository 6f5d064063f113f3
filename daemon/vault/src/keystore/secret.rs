//! What a keystore keeps, and the name that tells one secret from another without telling it.

use std::fmt;

use connect_proto::hash::sha256;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use super::KeystoreError;

pub(crate) const SECRET_LEN: usize = 32;

/// What a keystore adds to the PIN: 32 random bytes, or nothing.
pub(crate) struct KeystoreSecret(Zeroizing<Vec<u8>>);

impl KeystoreSecret {
    pub(crate) fn none() -> Self {
        Self(Zeroizing::default())
    }

    pub(super) fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = Zeroizing::new(vec![0; SECRET_LEN]);
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    pub(super) fn from_stored(bytes: Zeroizing<Vec<u8>>) -> Result<Self, KeystoreError> {
        if bytes.len() == SECRET_LEN {
            Ok(Self(bytes))
        } else {
            Err(KeystoreError::Damaged)
        }
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Names a secret without telling it, so that a wrong keystore is never mistaken for a wrong PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretId([u8; Self::LEN]);

impl SecretId {
    pub(crate) const LEN: usize = 16;

    pub(super) fn of(secret: &KeystoreSecret) -> Self {
        let bound = Zeroizing::new([b"connect/keystore-id/v1\0", secret.expose()].concat());
        let digest = sha256(&bound);
        let mut id = [0; Self::LEN];
        id.copy_from_slice(&digest[..Self::LEN]);
        Self(id)
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
