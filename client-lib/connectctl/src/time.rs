//! Times as people in this place read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// To the second, in the local time zone.
pub(crate) fn local(ms: u64) -> String {
    in_zone(ms, TimeZone::system())
}

/// How long to wait, never told shorter than it is.
pub(crate) fn duration(ms: u64) -> String {
    match ms.div_ceil(1000) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}

fn in_zone(ms: u64, zone: TimeZone) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(
            || format!("{ms} ms"),
            |at| at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_readable_and_absurd_ones_do_no_harm() {
        assert_eq!(
            in_zone(1_700_000_000_000, TimeZone::UTC),
            "2023-11-14 22:13:20"
        );
        assert_eq!(in_zone(u64::MAX, TimeZone::UTC), format!("{} ms", u64::MAX));
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(duration(1), "1 s");
        assert_eq!(duration(60_000), "60 s");
        assert_eq!(duration(121_000), "3 min");
        assert_eq!(duration(3_600_000 * 3), "3 h");
    }
}
