//! The recovery key: opens the master key without PIN and without keystore, for who lost either (D23).

use std::fmt;

use connect_core::secret::UnlockKey;
use connect_proto::ids::UserId;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// 160 random bits that the user keeps on paper: too many to guess, so that no attempt is counted.
pub struct RecoveryKey(Zeroizing<[u8; Self::LEN]>);

impl RecoveryKey {
    pub const LEN: usize = 20;

    /// Takes a key over; the caller's copy is the caller's to wipe.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut key = Zeroizing::new([0; Self::LEN]);
        key.copy_from_slice(bytes);
        Self(key)
    }

    /// For whoever hands it on and needs it later.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::from_bytes(&self.0)
    }

    /// HKDF-SHA256, the owner in its label: the box of another account does not open.
    pub(crate) fn unlock_key(&self, owner: &UserId) -> UnlockKey {
        let mut label = b"connect/recovery/v1\0".to_vec();
        label.extend_from_slice(owner.as_str().as_bytes());
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand(&label, key.as_mut_slice())
            .expect("32 bytes are fewer than HKDF can give");
        UnlockKey::from_bytes(&key)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(..)")
    }
}
