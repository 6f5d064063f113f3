//! A key wrapped by another one, the master key or the local-file key, its purpose and its owner inside (§4.1.2, D22).

use connect_proto::ids::UserId;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::boxes::CannotOpen;
use crate::secretbox::{self, SecretboxKey};

/// What a wrapped key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    Box,
    Sign,
    Database,
    LocalFile,
    /// Of one backup: under the local-file key, which is in memory where the master key is not.
    Backup,
    /// Made, and not in force before the relay knows of them: under the local-file key, as all that a rotation writes.
    NextBox,
    NextSign,
    /// What others sealed to it still opens (§5.3).
    RetiredBox,
}

impl KeyPurpose {
    const fn label(self) -> &'static str {
        match self {
            Self::Box => "connect/wrap/box/v1",
            Self::Sign => "connect/wrap/sign/v1",
            Self::Database => "connect/wrap/database/v1",
            Self::LocalFile => "connect/wrap/local-file/v1",
            Self::Backup => "connect/wrap/backup/v1",
            Self::NextBox => "connect/wrap/next-box/v1",
            Self::NextSign => "connect/wrap/next-sign/v1",
            Self::RetiredBox => "connect/wrap/retired-box/v1",
        }
    }
}

/// `label || 0x00 || owner || 0x00`: neither contains a zero byte.
fn binding(purpose: KeyPurpose, owner: &UserId) -> Vec<u8> {
    let mut bound = purpose.label().as_bytes().to_vec();
    bound.push(0);
    bound.extend_from_slice(owner.as_str().as_bytes());
    bound.push(0);
    bound
}

pub fn wrap<K: SecretboxKey>(
    under: &K,
    purpose: KeyPurpose,
    owner: &UserId,
    key: &[u8; 32],
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    let mut plaintext = Zeroizing::new(Vec::with_capacity(128));
    plaintext.extend_from_slice(&binding(purpose, owner));
    plaintext.extend_from_slice(key);
    secretbox::seal(under, &plaintext, rng)
}

/// Opens a wrapped key, if it was wrapped for this purpose and this owner.
pub fn unwrap<K: SecretboxKey>(
    under: &K,
    purpose: KeyPurpose,
    owner: &UserId,
    wrapped: &[u8],
) -> Result<Zeroizing<[u8; 32]>, CannotOpen> {
    let plaintext = secretbox::open(under, wrapped)?;
    let key = plaintext
        .strip_prefix(binding(purpose, owner).as_slice())
        .ok_or(CannotOpen)?;
    let mut bytes = Zeroizing::new([0; 32]);
    if key.len() != bytes.len() {
        return Err(CannotOpen);
    }
    bytes.copy_from_slice(key);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::secret::MasterKey;

    #[test]
    fn a_wrapped_key_opens_for_its_purpose_and_owner_only() {
        let master = MasterKey::from_bytes(&[1; 32]);
        let alice: UserId = "alice".parse().unwrap();
        let bob: UserId = "bob".parse().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let wrapped = wrap(&master, KeyPurpose::Box, &alice, &[7; 32], &mut rng);
        let open = |purpose, owner| unwrap(&master, purpose, owner, &wrapped).map(|key| *key);
        assert_eq!(open(KeyPurpose::Box, &alice), Ok([7; 32]));
        assert_eq!(open(KeyPurpose::Sign, &alice), Err(CannotOpen));
        assert_eq!(open(KeyPurpose::Box, &bob), Err(CannotOpen));
    }
}
