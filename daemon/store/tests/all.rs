//! Every test of the database, in one binary.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod attachments;
mod audit;
mod case_copies;
mod case_entries;
mod cases;
mod contacts;
mod damage;
mod database;
mod events;
mod groups;
mod messages;
mod outbox;
mod reading;
mod retention;
mod snapshot;
mod support;
