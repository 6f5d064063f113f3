//! The relay as the daemon sees it: signed, pinned, bounded HTTPS.

pub mod address;
pub mod backoff;
pub mod error;
pub mod uplink;

mod body;
mod offset;
mod tls;
