//! Randomness that was chosen beforehand: how a test makes core seal under a published nonce.

use rand_core::{CryptoRng, RngCore};

/// Gives out these bytes, once, and panics when asked for more.
#[derive(Debug)]
pub struct Chosen(Vec<u8>);

impl Chosen {
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl RngCore for Chosen {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, place: &mut [u8]) {
        let rest = self.0.split_off(place.len());
        place.copy_from_slice(&self.0);
        self.0 = rest;
    }

    fn try_fill_bytes(&mut self, place: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(place);
        Ok(())
    }
}

impl CryptoRng for Chosen {}
