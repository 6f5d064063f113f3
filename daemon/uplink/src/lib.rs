//! The relay as the daemon sees it: signed, pinned, bounded HTTPS.

pub mod address;
pub mod attachments;
pub mod backoff;
pub mod error;
pub mod own;
pub mod uplink;

mod body;
mod call;
mod offset;
mod tls;
