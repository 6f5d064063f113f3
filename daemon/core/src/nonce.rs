//! Nonces of 24 random bytes, one per box, sent whole (D1).

use rand_core::CryptoRngCore;

pub const NONCE_LEN: usize = 24;

/// A nonce. It is not `Clone`: who seals twice takes a second one.
#[derive(Debug, PartialEq, Eq)]
pub struct Nonce([u8; NONCE_LEN]);

impl Nonce {
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = [0; NONCE_LEN];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// A nonce that came with a box.
    pub const fn from_bytes(bytes: [u8; NONCE_LEN]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; NONCE_LEN] {
        &self.0
    }
}

/// A nonce of any length but 24 is refused (D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a nonce is not 24 bytes long")]
pub struct BadNonce;

impl TryFrom<&[u8]> for Nonce {
    type Error = BadNonce;

    fn try_from(bytes: &[u8]) -> Result<Self, BadNonce> {
        bytes.try_into().map(Self).map_err(|_| BadNonce)
    }
}
