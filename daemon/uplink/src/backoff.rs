//! How long to wait before trying again: exponential, spread by chance, never nothing at all.

use std::time::Duration;

use rand_core::RngCore;

/// One connection that was cut says little about the relay.
const SHORTEST_MS: u64 = 100;
const LONGEST_MS: u64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    ceiling_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff {
    pub const fn new() -> Self {
        Self {
            ceiling_ms: SHORTEST_MS,
        }
    }

    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Between half the ceiling and the ceiling; the ceiling doubles.
    pub fn next_delay(&mut self, rng: &mut impl RngCore) -> Duration {
        let half = self.ceiling_ms / 2;
        let delay = half + rng.next_u64() % (half + 1);
        self.ceiling_ms = (self.ceiling_ms * 2).min(LONGEST_MS);
        Duration::from_millis(delay)
    }
}

#[cfg(test)]
mod tests {
    use rand_core::impls::fill_bytes_via_next;

    use super::*;

    struct Fixed(u64);

    impl RngCore for Fixed {
        fn next_u32(&mut self) -> u32 {
            u32::try_from(self.0 & 0xffff_ffff).unwrap()
        }
        fn next_u64(&mut self) -> u64 {
            self.0
        }
        fn fill_bytes(&mut self, bytes: &mut [u8]) {
            fill_bytes_via_next(self, bytes);
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
            self.fill_bytes(bytes);
            Ok(())
        }
    }

    #[test]
    fn delays_double_up_to_a_minute_and_start_over_after_success() {
        let mut backoff = Backoff::new();
        let delays: Vec<u128> = (0..12)
            .map(|_| backoff.next_delay(&mut Fixed(0)).as_millis())
            .collect();
        assert_eq!(
            delays,
            [
                50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000
            ]
        );
        backoff.reset();
        assert_eq!(backoff.next_delay(&mut Fixed(50)).as_millis(), 100);
    }
}
