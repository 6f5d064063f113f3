//! Randomness as a value: the process has the operating system's (D1), a test a seeded one.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rand_core::{CryptoRng, CryptoRngCore, Error, RngCore};

/// A shared source; a clone draws from the same one.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<Box<dyn CryptoRngCore + Send>>>);

impl Chance {
    pub fn system() -> Self {
        // The one place where the daemon takes randomness from the operating system.
        Self::from_source(rand_core::OsRng)
    }

    pub fn from_source(source: impl CryptoRngCore + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(source))))
    }
}

impl RngCore for Chance {
    fn next_u32(&mut self) -> u32 {
        self.0.lock().next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.lock().next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.lock().fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.lock().try_fill_bytes(bytes)
    }
}

impl CryptoRng for Chance {}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance(..)")
    }
}
