//! The boot clock: it never runs backwards, goes on while asleep, and no one can set it (D23).

use std::io;

/// When an attempt was made: which boot of the machine, and how long after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptTime {
    pub boot_id: String,
    pub boot_ms: u64,
}

/// Reads this machine's boot clock. Everything else in this crate takes it as an argument.
#[cfg(target_os = "linux")]
pub fn host_boot_time() -> io::Result<AttemptTime> {
    use rustix::time::{ClockId, clock_gettime};

    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).map_err(io::Error::other)?;
    let millis = u64::try_from(time.tv_nsec / 1_000_000).map_err(io::Error::other)?;
    Ok(AttemptTime {
        boot_id: boot_id.trim().to_owned(),
        boot_ms: seconds * 1000 + millis,
    })
}

#[cfg(not(target_os = "linux"))]
pub fn host_boot_time() -> io::Result<AttemptTime> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_goes_forward_within_one_boot() {
        let first = host_boot_time().unwrap();
        let second = host_boot_time().unwrap();
        assert_eq!(first.boot_id, second.boot_id);
        assert!(first.boot_id.len() >= 32 && second.boot_ms >= first.boot_ms);
    }
}
