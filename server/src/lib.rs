//! The reference relay: it stores and forwards what it cannot read, keeps the key directory, and answers to operators.
//!
//! A request climbs these stairs and its answer comes back by the same ones: `listener` (TLS) → `http` (authenticate,
//! decode) → `check` (pure) → one `store` change in a group commit → `wakes` (long polls). Nothing calls back up.

pub mod clock;
pub mod identity;
pub mod limits;
pub mod lock;
pub mod operator;
pub mod relay;
pub mod settings;
pub mod sweep;
pub mod tls;
mod users;

mod activity;
mod authorities;
mod check;
mod chunks;
mod counters;
mod http;
mod listener;
mod refusal;
mod room;
mod secret;
mod store;
mod wakes;
