//! Times as people in this place read them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

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

/// As a person writes it, in milliseconds: a day stands for its beginning.
pub(crate) fn from(text: &str) -> Result<u64, String> {
    parse(text, &TimeZone::system(), 0)
}

/// As above, and a day stands for its end.
pub(crate) fn until(text: &str) -> Result<u64, String> {
    parse(text, &TimeZone::system(), 1)
}

fn parse(text: &str, zone: &TimeZone, days: i64) -> Result<u64, String> {
    let wrong = |_| "not a time: 2026-03-01, 2026-03-01T14:30 or 2026-03-01T14:30Z".to_owned();
    let at = if let Ok(at) = text.parse::<Timestamp>() {
        at
    } else if text.contains(['T', ' ']) {
        let at: DateTime = text.parse().map_err(wrong)?;
        at.to_zoned(zone.clone()).map_err(wrong)?.timestamp()
    } else {
        let day: Date = text.parse().map_err(wrong)?;
        let day = day.checked_add(days.days()).map_err(wrong)?;
        day.to_zoned(zone.clone()).map_err(wrong)?.timestamp()
    };
    u64::try_from(at.as_millisecond()).map_err(|_| "before 1970".to_owned())
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
    fn what_a_person_writes_is_a_time() {
        let zone = TimeZone::get("Europe/Zurich").unwrap();
        let ms = |text, days| parse(text, &zone, days).map(|ms| in_zone(ms, TimeZone::UTC));
        for (text, days, expected) in [
            ("2026-03-01", 0, "2026-02-28 23:00:00"),
            ("2026-03-01", 1, "2026-03-01 23:00:00"),
            // The day on which the clocks are put forward has 23 hours.
            ("2026-03-29", 1, "2026-03-29 22:00:00"),
            ("2026-03-01T14:30", 0, "2026-03-01 13:30:00"),
            ("2026-03-01 14:30:05", 1, "2026-03-01 13:30:05"),
            ("2026-03-01T14:30:00Z", 1, "2026-03-01 14:30:00"),
        ] {
            assert_eq!(ms(text, days).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "1969-12-30", "2026-02-30"] {
            assert!(ms(text, 0).is_err(), "{text}");
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(duration(1), "1 s");
        assert_eq!(duration(60_000), "60 s");
        assert_eq!(duration(121_000), "3 min");
        assert_eq!(duration(3_600_000 * 3), "3 h");
    }
}
