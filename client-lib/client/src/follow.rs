//! Which events are followed, and how.

/// Which events to follow, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Follow {
    /// Everything after this event; only what comes from now on when left out.
    pub after: Option<u64>,
    /// Wait, also for the first time, for a daemon that is not running, not enrolled or locked. Otherwise this ends the
    /// stream with the error.
    pub wait: bool,
}
