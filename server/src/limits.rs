//! What the relay grants before it refuses: every bound that an administrator may change.

use std::num::NonZeroU32;

use connect_proto::routes::ATTACHMENT_DAYS;
use serde::Deserialize;

pub const SECOND_MS: u64 = 1_000;
pub const DAY_MS: u64 = 86_400 * SECOND_MS;
/// How long an undelivered envelope is kept before its sender is told (D21).
pub const ENVELOPE_LIFETIME_MS: u64 = 30 * DAY_MS;
/// How long the chunks of an attachment are kept, from its creation (§8.2.2).
pub const ATTACHMENT_LIFETIME_MS: u64 = ATTACHMENT_DAYS * DAY_MS;
/// How long a repeat of an envelope is recognised, delivered or not (D21).
pub const DEDUP_LIFETIME_MS: u64 = 30 * DAY_MS;
/// How long typing and the like may wait.
pub const EPHEMERAL_LIFETIME_MS: u64 = 60 * SECOND_MS;
/// What is ephemeral waits apart: so many envelopes in one mailbox at most.
pub const EPHEMERALS_WAITING: u64 = 500;
/// A clock that was this much ahead, and is set back, makes no spent nonce good again.
pub const NONCE_MARGIN_MS: u64 = 300 * SECOND_MS;
/// How long a revocation waits for the second operator.
pub const PROPOSAL_LIFETIME_MS: u64 = DAY_MS;
/// How long an enrollment code is good for (D28).
pub const CODE_LIFETIME_MS: u64 = DAY_MS;
/// How many envelopes of a deleted user's mailbox one change bounces; a sweep does the rest.
pub const BOUNCED_AT_ONCE: u32 = 500;
/// How many of the newest keys that are not active any more still get their user told so: D24 tries as many.
pub const NEWEST_FORMER_KEYS: usize = 3;
/// With them the last keys of earlier installations: a laptop that turns up after a year has to learn that it was replaced.
pub const FORMER_KEYS: usize = NEWEST_FORMER_KEYS + 2;
/// Longest query of a search, in bytes.
pub const MAX_SEARCH_QUERY: usize = 128;
/// Words of a search at most.
pub const MAX_SEARCH_WORDS: usize = 8;

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
    /// Searches of one user a minute and a day, and how many letters and digits a query has at least: nobody should
    /// read the whole directory by searching (§10.4).
    pub searches_per_minute: NonZeroU32,
    pub searches_per_day: NonZeroU32,
    pub search_letters: usize,
    /// Rotations of one user a day: each is told to everybody.
    pub rotations_per_day: NonZeroU32,
    /// Orders of operators a minute, of all together; those of the host itself are not counted.
    pub operator_orders_per_minute: NonZeroU32,
    /// What waits in one mailbox at most.
    pub mailbox_messages: u64,
    pub mailbox_bytes: u64,
    /// Ciphertext of one attachment at most.
    pub attachment_bytes: u64,
    /// What one user's attachments are at most, in number and in bytes as announced, until they expire or are deleted.
    pub owner_attachments: u64,
    pub owner_attachment_bytes: u64,
    /// Attachments that one user may announce a minute.
    pub attachments_per_minute: NonZeroU32,
    /// What all chunks together may take where they lie.
    pub store_bytes: u64,
    /// Chunks on their way, in and out: bytes of all that are held at one time, how many of one user's, and for how many
    /// seconds each.
    pub chunks_in_transit_bytes: usize,
    pub transfers_per_user: usize,
    pub chunk_seconds: u64,
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
            searches_per_minute: NonZeroU32::new(30).unwrap_or(NonZeroU32::MIN),
            searches_per_day: NonZeroU32::new(500).unwrap_or(NonZeroU32::MIN),
            search_letters: 3,
            rotations_per_day: NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN),
            operator_orders_per_minute: NonZeroU32::new(600).unwrap_or(NonZeroU32::MIN),
            mailbox_messages: 100_000,
            mailbox_bytes: 256 << 20,
            attachment_bytes: 4 << 30,
            owner_attachments: 5_000,
            owner_attachment_bytes: 20 << 30,
            attachments_per_minute: NonZeroU32::new(120).unwrap_or(NonZeroU32::MIN),
            store_bytes: 1 << 40,
            chunks_in_transit_bytes: 256 << 20,
            transfers_per_user: 16,
            chunk_seconds: 120,
            contact_update_audience: 10_000,
            handshake_seconds: 10,
            header_seconds: 30,
            body_seconds: 60,
        }
    }
}
