//! How far a stream of bytes has come: a bar with rate and remaining time on a terminal, plain lines elsewhere, and nothing
//! where a program reads.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

const TEMPLATE: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
/// Of what is smaller, no line tells.
const WORTH_A_LINE: u64 = 16 << 20;

#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    size: u64,
    done: AtomicU64,
    /// Where no terminal is: a line for each quarter.
    lines: Option<Output>,
}

impl Progress {
    pub(crate) fn new(out: &Output, what: &'static str, size: u64) -> Self {
        // It draws nothing by itself where standard error is no terminal.
        let target = if out.is_json() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(size), target).with_message(what);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        let is_plain = !out.is_json() && !io::stderr().is_terminal() && size >= WORTH_A_LINE;
        Self {
            bar,
            what,
            size,
            done: AtomicU64::new(0),
            lines: is_plain.then(|| out.clone()),
        }
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        let quarter = |done: u64| done.saturating_mul(4) / self.size.max(1);
        if let Some(out) = &self.lines
            && quarter(before + bytes) > quarter(before)
        {
            let percent = quarter(before + bytes) * 25;
            out.note(&format!("{}: {percent} %", self.what));
        }
    }

    /// As far as that.
    pub(crate) fn reach(&self, done: u64) {
        let before = self.done.load(Ordering::Relaxed);
        self.advance(done.saturating_sub(before));
    }

    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
