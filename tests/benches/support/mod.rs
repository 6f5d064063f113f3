//! Measuring in turn: ours and the yardstick in the same minute, several rounds, and the ratio of the medians.
#![expect(unreachable_pub, reason = "each bench is a crate of its own")]

use std::time::Duration;

use tokio::time::Instant;

const ROUNDS: usize = 7;
const BATCHES: usize = 40;
/// How long one takes, about.
const BATCH: Duration = Duration::from_micros(200);

/// Durations of single calls.
#[derive(Debug, Default, Clone)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// In microseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted
            .get(place)
            .map_or(f64::NAN, |sample| sample.as_secs_f64() * 1e6)
    }
}

/// Times `call` as often as said.
pub fn time(times: usize, mut call: impl FnMut()) -> Samples {
    let mut samples = Samples::default();
    for _ in 0..times {
        let began = Instant::now();
        call();
        samples.add(began.elapsed());
    }
    samples
}

/// For what is too short to be timed alone: each sample is the mean of a batch.
pub fn time_batches(mut call: impl FnMut()) -> Samples {
    let began = Instant::now();
    call();
    let size = (BATCH.as_nanos() / began.elapsed().as_nanos().max(1)).clamp(1, 1000);
    let size = u32::try_from(size).expect("at most 1000");
    let mut samples = Samples::default();
    for _ in 0..BATCHES {
        let began = Instant::now();
        (0..size).for_each(|_| call());
        samples.add(began.elapsed() / size);
    }
    samples
}

/// Runs both in turn, round by round.
pub fn in_turn(
    mut ours: impl FnMut() -> Samples,
    mut yardstick: impl FnMut() -> Samples,
) -> (Samples, Samples) {
    ours();
    yardstick();
    let (mut all_ours, mut all_yardstick) = (Samples::default(), Samples::default());
    for _ in 0..ROUNDS {
        all_ours.extend(ours());
        all_yardstick.extend(yardstick());
    }
    (all_ours, all_yardstick)
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
pub fn heading(title: &str) {
    println!(
        "\n{title}\n{:<46} {:>10} {:>10} {:>7}  reach",
        "", "ours", "yardstick", "ratio"
    );
}

/// One row of the table; both in the same unit.
#[expect(clippy::print_stdout, reason = "a bench prints")]
pub fn row(what: &str, ours: f64, yardstick: f64, unit: &str, reach: &str) {
    let ratio = ours / yardstick;
    println!("{what:<46} {ours:>7.1} {unit:<2} {yardstick:>7.1} {unit:<2} {ratio:>6.2}  {reach}");
}

/// A figure that has no yardstick.
#[expect(clippy::print_stdout, reason = "a bench prints")]
pub fn note(what: &str, figure: f64, unit: &str) {
    println!("{what:<46} {figure:>7.2} {unit}");
}

/// User and system time of a process so far.
pub fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("its times");
    let (_, after_name) = stat.rsplit_once(')').expect("a name");
    let ticks: u32 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u32>().expect("a number"))
        .sum();
    // The kernel counts in hundredths for everybody outside of it.
    f64::from(ticks) / 100.0
}

pub fn resident_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its size");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.trim().parse::<f64>().ok())
        .expect("a size")
        / 1024.0
}
