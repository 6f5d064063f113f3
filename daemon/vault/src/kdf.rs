//! From a PIN and a keystore's secret to the key that opens the sealed file: Argon2id, then HKDF-SHA256 (D22).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use connect_core::secret::UnlockKey;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::cost::KdfCost;
use crate::keystore::KeystoreSecret;
use crate::pin;
use crate::sealed::Header;

/// The derivation could not run: its memory is not to be had, or its parameters are impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CannotDerive;

/// HKDF-SHA256(keystore secret || Argon2id(PIN)), the whole header its label: whoever changes the header changes the key.
pub(crate) fn unlock_key(
    header: &Header,
    secret: &KeystoreSecret,
    pin: &str,
) -> Result<UnlockKey, CannotDerive> {
    let stretched = stretch(&pin::bytes(pin), &header.salt, header.cost)?;
    let secret = secret.expose();
    let mut material = Zeroizing::new(Vec::with_capacity(secret.len() + stretched.len()));
    material.extend_from_slice(secret);
    material.extend_from_slice(stretched.as_slice());
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, &material)
        .expand(&header.binding(), key.as_mut_slice())
        .map_err(|_| CannotDerive)?;
    Ok(UnlockKey::from_bytes(&key))
}

fn stretch(pin: &[u8], salt: &[u8], cost: KdfCost) -> Result<Zeroizing<[u8; 32]>, CannotDerive> {
    let params = Params::new(cost.memory_kib(), cost.passes(), cost.lanes(), Some(32))
        .map_err(|_| CannotDerive)?;
    let mut memory = Memory::of(params.block_count())?;
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(pin, salt, out.as_mut_slice(), &mut memory.0)
        .map_err(|_| CannotDerive)?;
    Ok(out)
}

/// Argon2's working memory, which the crate leaves as it is: wiped here.
struct Memory(Vec<Block>);

impl Memory {
    fn of(blocks: usize) -> Result<Self, CannotDerive> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).map_err(|_| CannotDerive)?;
        memory.resize(blocks, Block::default());
        Ok(Self(memory))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(zeroize::Zeroize::zeroize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretching_is_argon2id_as_published() {
        // RFC 9106 gives no vector without secret and associated data: this one is from the reference command line,
        // `printf password | argon2 somesalt -id -v 13 -t 2 -k 256 -p 1 -l 32`.
        let cost = KdfCost::read(256, 2, 1).unwrap();
        let out = stretch(b"password", b"somesalt", cost).unwrap();
        assert_eq!(
            hex::encode(out.as_slice()),
            "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"
        );
    }
}
