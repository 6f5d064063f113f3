//! How long to wait before connecting again: twice as long each time, up to a bound, and spread between processes.

use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    seed: u64,
}

impl Backoff {
    /// The process id spreads the clients of one daemon well enough; no randomness is needed for it.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
            seed: u64::from(std::process::id()),
        }
    }

    /// After another failure: between half and all of the wait.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self
            .first
            .saturating_mul(1 << self.failures.min(20))
            .min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let spread = mix(self.seed.wrapping_add(u64::from(self.failures))) % 1000;
        let half = wait / 2;
        half + half.mul_f64(f64::from(u32::try_from(spread).unwrap_or(0)) / 1000.0)
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// splitmix64's finaliser: neighbouring process ids come far apart.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_start_over() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut backoff = Backoff::new(first, longest);
        for n in 0..40 {
            let full = first.saturating_mul(1 << n.min(16)).min(longest);
            let wait = backoff.next();
            assert!(wait >= full / 2 && wait <= full, "{n}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= first);
    }
}
