//! crypto_secretbox under a key of its own type, the nonce in front (§2.2, §3.4).

use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::KeyInit as _;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::boxes::{CannotOpen, open_in_place, seal_in_place};
use crate::nonce::{NONCE_LEN, Nonce};
use crate::secret::{CaseKey, LocalFileKey, MasterKey, UnlockKey};

/// A key that seals with crypto_secretbox.
pub trait SecretboxKey {
    #[doc(hidden)]
    fn key_bytes(&self) -> &[u8; 32];
}

macro_rules! secretbox_keys {
    ($($name:ident)*) => {$(
        impl SecretboxKey for $name {
            fn key_bytes(&self) -> &[u8; 32] {
                self.expose()
            }
        }
    )*};
}
secretbox_keys!(MasterKey UnlockKey LocalFileKey CaseKey);

/// `nonce(24) || tag(16) || ciphertext`, the nonce random.
pub fn seal<K: SecretboxKey>(key: &K, plaintext: &[u8], rng: &mut impl CryptoRngCore) -> Vec<u8> {
    seal_with(key.key_bytes(), &Nonce::random(rng), plaintext)
}

pub fn open<K: SecretboxKey>(key: &K, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    open_with(key.key_bytes(), sealed)
}

/// `tag(16) || ciphertext`: the nonce is sent in a field of its own (§8.2.3).
pub fn seal_apart<K: SecretboxKey>(key: &K, nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
    let cipher = XSalsa20Poly1305::new(key.key_bytes().into());
    seal_in_place(&cipher, nonce, plaintext)
}

pub fn open_apart<K: SecretboxKey>(
    key: &K,
    nonce: &Nonce,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let cipher = XSalsa20Poly1305::new(key.key_bytes().into());
    open_in_place(&cipher, nonce, sealed)
}

fn seal_with(key: &[u8; 32], nonce: &Nonce, plaintext: &[u8]) -> Vec<u8> {
    let cipher = XSalsa20Poly1305::new(key.into());
    let mut sealed = nonce.as_bytes().to_vec();
    sealed.append(&mut seal_in_place(&cipher, nonce, plaintext));
    sealed
}

fn open_with(key: &[u8; 32], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or(CannotOpen)?;
    let nonce = Nonce::try_from(nonce).map_err(|_| CannotOpen)?;
    open_in_place(&XSalsa20Poly1305::new(key.into()), &nonce, rest)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn what_was_sealed_opens_and_what_was_changed_does_not() {
        let key = MasterKey::from_bytes(&[5; 32]);
        let mut sealed = seal(&key, b"plain", &mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(open(&key, &sealed).unwrap().as_slice(), b"plain");
        for position in 0..sealed.len() {
            sealed[position] ^= 1;
            assert!(open(&key, &sealed).is_err(), "byte {position}");
            sealed[position] ^= 1;
        }
        assert!(open(&key, &sealed[..39]).is_err());
        assert!(open(&key, &[]).is_err());
    }
}
