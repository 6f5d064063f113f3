//! The encrypted database: one aggregate per file, migrations that are only ever added.
//!
//! Reads take a `&Store`, writes a `&mut Tx`: what belongs together is one transaction, made by the caller.

pub mod account;
pub mod amendments;
pub mod apps;
pub mod attachments;
pub mod audit;
pub mod cases;
pub mod client_refs;
pub mod codes;
pub mod condition;
pub mod contacts;
pub mod contents;
pub mod conversations;
pub mod cursors;
pub mod database;
pub mod drafts;
pub mod enrollment;
pub mod error;
pub mod events;
pub mod files;
pub mod groups;
pub mod integrity;
pub mod lanes;
pub mod memory;
pub mod messages;
pub mod new;
pub mod order;
pub mod outbox;
pub mod outgoing;
pub mod own_bundles;
pub mod parting;
pub mod place;
pub mod policy;
pub mod quarantine;
pub mod reading;
pub mod received;
pub mod recipients;
pub mod restored;
pub mod retention;
pub mod rounds;
pub mod row;
pub mod search;
pub mod snapshot;
pub mod unopened;
pub mod verifications;

mod recovery;
mod sqlcipher;
