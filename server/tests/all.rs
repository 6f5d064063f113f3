//! Every test of the relay, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounts;
mod attachments;
mod attachments_durable;
mod attachments_ends;
mod attachments_greedy;
mod attachments_refusals;
mod attachments_s3;
mod authentication;
mod clock;
mod connections;
mod content;
mod disk_full;
mod enroll;
mod expiry;
mod four_eyes;
mod identity;
mod kills;
mod long_poll;
mod messages;
mod operator_doors;
mod operator_log;
mod operators;
mod process;
mod promises;
mod rotation;
mod search;
mod support;
