//! The use-cases of the daemon over an unlocked session, and its sync and outbox loops.

pub mod amend;
pub mod apps;
pub mod chance;
pub mod clock;
pub mod contacts;
pub mod counters;
pub mod directory;
pub mod doors;
pub mod enroll;
pub mod error;
pub mod events;
pub mod health;
pub mod journal;
pub mod messages;
pub mod outbox;
pub mod policy;
pub mod receive;
pub mod search;
pub mod send;
pub mod session;
pub mod shared;
pub mod storage;
pub mod sync;
pub mod typing;
pub mod unlocked;
pub mod upkeep;

mod asking;
mod controls;
mod holds;
mod indexing;
mod intake;
mod ordering;
mod receipts;
mod seal;
mod senders;
mod settle;
