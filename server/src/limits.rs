//! What the relay grants before it refuses: every bound that an administrator may change.

use std::num::NonZeroU32;

use serde::Deserialize;

pub const SECOND_MS: u64 = 1_000;
pub const DAY_MS: u64 = 86_400 * SECOND_MS;
/// How long an undelivered envelope is kept before its sender is told (D21).
pub const ENVELOPE_LIFETIME_MS: u64 = 30 * DAY_MS;
/// How long a repeat of an envelope is recognised, delivered or not (D21).
pub const DEDUP_LIFETIME_MS: u64 = 30 * DAY_MS;
/// How long typing and the like may wait.
pub const EPHEMERAL_LIFETIME_MS: u64 = 60 * SECOND_MS;
/// What is ephemeral waits apart: so many envelopes in one mailbox at most.
pub const EPHEMERALS_WAITING: u64 = 500;
/// A clock that was this much ahead, and is set back, makes no spent nonce good again.
pub const NONCE_MARGIN_MS: u64 = 300 * SECOND_MS;
/// How long an enrollment code is good for (D28).
pub const CODE_LIFETIME_MS: u64 = DAY_MS;
/// How many key bundles of one user a directory answer carries.
pub const MAX_PUBLISHED_KEYS: u64 = 16;

/// The `[limits]` of `relay.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at one time: in all, and from one address (of version 6, from one /64). A daemon has two, and a
    /// whole hospital may come from one address.
    pub connections: usize,
    pub connections_per_address: usize,
    /// Bytes of requests' bodies that are held at one time.
    pub bodies_bytes: usize,
    /// Requests a second of one user, and how many may come at once: a daemon that comes back to a mailbox of 100,000
    /// envelopes asks a thousand times in a row.
    pub requests_per_second: NonZeroU32,
    pub request_burst: NonZeroU32,
    /// Attempts to enroll a minute: for one user id, and in all.
    pub enrollments_per_minute: NonZeroU32,
    pub enrollments_per_minute_in_all: NonZeroU32,
    /// What waits in one mailbox at most.
    pub mailbox_messages: u64,
    pub mailbox_bytes: u64,
    /// Up to this many users each get a `ContactUpdate` when a key changes. Beyond it clients learn of the change
    /// from their own directory refresh, since the relay does not know who knows whom.
    pub contact_update_audience: u64,
    /// Seconds for a TLS handshake, for the headers of a request (and for the silence before them), and for its body.
    pub handshake_seconds: u64,
    pub header_seconds: u64,
    pub body_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 2_000,
            bodies_bytes: 256 << 20,
            requests_per_second: NonZeroU32::new(2_000).unwrap_or(NonZeroU32::MIN),
            request_burst: NonZeroU32::new(4_000).unwrap_or(NonZeroU32::MIN),
            enrollments_per_minute: NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN),
            enrollments_per_minute_in_all: NonZeroU32::new(3_000).unwrap_or(NonZeroU32::MIN),
            mailbox_messages: 100_000,
            mailbox_bytes: 256 << 20,
            contact_update_audience: 10_000,
            handshake_seconds: 10,
            header_seconds: 30,
            body_seconds: 60,
        }
    }
}
