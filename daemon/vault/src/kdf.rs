//! From a PIN and a keystore's secret to the key that opens the sealed file: Argon2id, then HKDF-SHA256 (D22).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use connect_core::secret::UnlockKey;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keystore::KeystoreSecret;
use crate::pin;
use crate::sealed::Header;

/// What one guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A file that asks for more is refused: reading it must not exhaust the machine.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_WORK_KIB: u64 = 8 << 20;
const MAX_LANES: u32 = 8;

impl KdfCost {
    /// Chosen by measurement (`tests/cost.rs`): 8 passes over 64 MiB took 0.33 s on two cores of 2026.
    pub const fn production() -> Self {
        Self {
            memory_kib: 64 << 10,
            passes: 8,
            lanes: 1,
        }
    }

    /// As cheap as Argon2 goes: protects nothing.
    pub const fn for_tests() -> Self {
        Self {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        }
    }

    /// What a file says; `None` if it is impossible or unreasonable.
    pub(crate) fn read(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let work = u64::from(memory_kib) * u64::from(passes);
        let possible = lanes >= 1 && passes >= 1 && memory_kib >= 8 * lanes.min(MAX_LANES);
        let reasonable = memory_kib <= MAX_MEMORY_KIB && work <= MAX_WORK_KIB && lanes <= MAX_LANES;
        (possible && reasonable).then_some(Self {
            memory_kib,
            passes,
            lanes,
        })
    }

    pub(crate) const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    pub(crate) const fn passes(self) -> u32 {
        self.passes
    }

    pub(crate) const fn lanes(self) -> u32 {
        self.lanes
    }
}

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
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
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
    fn unreasonable_costs_are_refused() {
        let production = KdfCost::production();
        let KdfCost {
            memory_kib,
            passes,
            lanes,
        } = production;
        assert_eq!(KdfCost::read(memory_kib, passes, lanes), Some(production));
        for (memory_kib, passes, lanes) in [
            (u32::MAX, 1, 1),
            (MAX_MEMORY_KIB + 1, 1, 1),
            (65_536, u32::MAX, 1),
            (65_536, 1, u32::MAX),
            (7, 1, 1),
            (0, 1, 1),
            (64, 0, 1),
            (64, 1, 0),
        ] {
            assert_eq!(KdfCost::read(memory_kib, passes, lanes), None);
        }
    }

    #[test]
    fn stretching_is_argon2id_as_published() {
        // RFC 9106 gives no vector without secret and associated data: this one is from the reference command line,
        // `printf password | argon2 somesalt -id -v 13 -t 2 -k 256 -p 1 -l 32`.
        let cost = KdfCost {
            memory_kib: 256,
            passes: 2,
            lanes: 1,
        };
        let out = stretch(b"password", b"somesalt", cost).unwrap();
        assert_eq!(
            hex::encode(out.as_slice()),
            "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"
        );
    }
}
