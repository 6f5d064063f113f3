//! What the kernel and the database's files tell of a relay that runs as a process of its own.

use std::path::Path;

/// A counter of `/proc/PID/status`, in KiB.
fn status_kib(pid: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim_start_matches(':').trim().strip_suffix(" kB"));
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or(f64::NAN)
}

pub fn resident_kib(pid: u32) -> f64 {
    status_kib(pid, "VmRSS")
}

/// Since the last `forget_peak`.
pub fn peak_kib(pid: u32) -> f64 {
    status_kib(pid, "VmHWM")
}

pub fn forget_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("one's own child");
}

/// Seconds of CPU so far, in user mode and in the kernel.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, after_name) = stat.rsplit_once(") ").expect("a name");
    let ticks: f64 = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().expect("a number"))
        .sum();
    ticks / 100.0
}

/// Transactions so far: SQLite counts them in the header of its index of the write-ahead log.
pub fn commits(state_dir: &Path) -> u32 {
    let index = std::fs::read(state_dir.join("relay.db-shm")).expect("an index");
    let counter = index[8..12].try_into().expect("four bytes");
    u32::from_ne_bytes(counter)
}
