//! The encrypted database: one aggregate per file, migrations that are only ever added.
//!
//! Reads take a `&Store`, writes a `&mut Tx`: what belongs together is one transaction, made by the caller.

pub mod account;
pub mod codes;
pub mod contacts;
pub mod conversations;
pub mod cursors;
pub mod database;
pub mod enrollment;
pub mod error;
pub mod events;
pub mod messages;
pub mod outbox;
pub mod outgoing;
pub mod policy;
pub mod quarantine;
pub mod retention;
pub mod row;
pub mod search;

mod sqlcipher;
