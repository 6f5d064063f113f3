//! How much a client may ask for (`rpc.md`): every value can be configured, and each has a test that exceeds it.

use std::time::Duration;

use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a line that comes in.
    pub line_in: usize,
    /// Bytes of a line that goes out.
    pub line_out: usize,
    pub calls_per_connection: usize,
    pub calls_per_app: usize,
    pub calls: usize,
    /// Bytes that a connection has not read yet.
    pub unread: usize,
    /// How long a connection may read nothing of what waits for it.
    pub stalled_s: u64,
    pub connections_per_uid: usize,
    pub connections: usize,
    pub authenticate_s: u64,
    pub call_s: u64,
    pub unlock_s: u64,
    /// After so long without an interactive call the session is locked; 0: never.
    pub idle_lock_s: u64,
    pub subscriptions_per_connection: usize,
    /// Tickets for byte streams that were not shown yet.
    pub tickets_per_app: usize,
    pub sends_per_second: u32,
    pub send_burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_in: 1 << 20,
            line_out: 4 << 20,
            calls_per_connection: 16,
            calls_per_app: 32,
            calls: 256,
            unread: 8 << 20,
            stalled_s: 30,
            connections_per_uid: 16,
            connections: 128,
            authenticate_s: 5,
            call_s: 30,
            unlock_s: 60,
            idle_lock_s: 600,
            subscriptions_per_connection: 16,
            tickets_per_app: 8,
            sends_per_second: 20,
            send_burst: 60,
        }
    }
}

/// Bytes in one line or on one connection at most, whatever is configured.
const MOST_BYTES: usize = 1 << 30;
const MOST_THINGS: usize = 1 << 20;
const MOST_SECONDS: u64 = 24 * 3600;

impl Limits {
    /// The first value with which the daemon could not work.
    pub fn unusable(&self) -> Option<&'static str> {
        let sizes = [
            ("line_in", self.line_in, MOST_BYTES),
            ("line_out", self.line_out, MOST_BYTES),
            ("unread", self.unread, MOST_BYTES),
            (
                "calls_per_connection",
                self.calls_per_connection,
                MOST_THINGS,
            ),
            ("calls_per_app", self.calls_per_app, MOST_THINGS),
            ("calls", self.calls, MOST_THINGS),
            ("connections_per_uid", self.connections_per_uid, MOST_THINGS),
            ("connections", self.connections, MOST_THINGS),
            (
                "subscriptions_per_connection",
                self.subscriptions_per_connection,
                MOST_THINGS,
            ),
            ("tickets_per_app", self.tickets_per_app, MOST_THINGS),
        ];
        let seconds = [
            ("stalled_s", self.stalled_s),
            ("authenticate_s", self.authenticate_s),
            ("call_s", self.call_s),
            ("unlock_s", self.unlock_s),
            // 0 has a meaning.
            ("idle_lock_s", self.idle_lock_s.max(1)),
        ];
        let rates = [
            ("sends_per_second", self.sends_per_second),
            ("send_burst", self.send_burst),
        ];
        let sizes = sizes
            .iter()
            .find(|(_, value, most)| !(1..=*most).contains(value));
        let seconds = seconds
            .iter()
            .find(|(_, value)| !(1..=MOST_SECONDS).contains(value));
        let rates = rates.iter().find(|(_, value)| *value == 0);
        sizes
            .map(|(name, ..)| *name)
            .or(seconds.map(|(name, _)| *name))
            .or(rates.map(|(name, _)| *name))
    }

    pub fn stalled(&self) -> Duration {
        Duration::from_secs(self.stalled_s)
    }

    pub fn idle_lock_ms(&self) -> Option<u64> {
        (self.idle_lock_s > 0).then(|| self.idle_lock_s.saturating_mul(1000))
    }

    pub fn authenticate(&self) -> Duration {
        Duration::from_secs(self.authenticate_s)
    }

    /// Unlocking derives a key, and enrolling waits for the relay as well.
    pub fn call(&self, method: &str) -> Duration {
        match method {
            "session.unlock"
            | "session.change_pin"
            | "session.recover"
            | "session.uncover"
            | "session.set_recovery_key"
            | "account.enroll" => Duration::from_secs(self.unlock_s),
            _ => Duration::from_secs(self.call_s),
        }
    }
}
