//! The socket of connectd, for both of its ends: where it is, who is on the other side, and bounded lines.
//!
//! Nothing here knows JSON. [`socket`] has the same names on every system; callers need no `cfg`.

pub mod endpoint;
pub mod frames;
pub mod socket;

mod peer;
mod refused;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
