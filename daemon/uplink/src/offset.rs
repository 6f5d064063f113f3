//! The relay's clock as seen from here (D30).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::UNIX_EPOCH;

/// A date that is further off than this cannot be signed with.
const MAX_OFFSET_MS: u64 = 24 * 3600 * 1000;
/// The relay allows 300 s; its date has whole seconds, and the answer took a while.
const NOTICEABLE_MS: u64 = 240_000;

#[derive(Debug, Default)]
pub(crate) struct ClockOffset(AtomicI64);

/// What a refusal's date tells about the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skew {
    /// Too little to be the reason.
    None,
    /// Followed: sign again.
    Followed,
    TooFar,
}

impl ClockOffset {
    pub(crate) fn ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The relay's time where it is known to differ.
    pub(crate) fn apply(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add_signed(self.ms())
    }

    pub(crate) fn follow(&self, date: &str, now_ms: u64) -> Skew {
        let Ok(date) = httpdate::parse_http_date(date) else {
            return Skew::None;
        };
        let theirs = date.duration_since(UNIX_EPOCH).map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
        if theirs.abs_diff(self.apply(now_ms)) < NOTICEABLE_MS {
            return Skew::None;
        }
        if theirs.abs_diff(now_ms) > MAX_OFFSET_MS {
            return Skew::TooFar;
        }
        let offset = i64::try_from(i128::from(theirs) - i128::from(now_ms)).unwrap_or(0);
        self.0.store(offset, Ordering::Relaxed);
        Skew::Followed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    fn date(ms: u64) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_millis(ms))
    }

    #[test]
    fn a_relay_up_to_a_day_away_is_followed() {
        let offset = ClockOffset::default();
        assert_eq!(offset.follow(&date(NOW + 100_000), NOW), Skew::None);
        assert_eq!(offset.follow(&date(NOW + 3_600_000), NOW), Skew::Followed);
        assert_eq!(offset.apply(NOW), NOW + 3_600_000);
        assert_eq!(offset.follow(&date(NOW + 3_600_000), NOW), Skew::None);
        assert_eq!(offset.follow(&date(NOW), NOW), Skew::Followed);
        assert_eq!(offset.ms(), 0);
        assert_eq!(offset.follow(&date(NOW - 90_000_000), NOW), Skew::TooFar);
        assert_eq!(offset.follow("yesterday", NOW), Skew::None);
        assert_eq!(offset.ms(), 0);
    }
}
