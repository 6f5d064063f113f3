//! The client against a daemon that is scripted line by line, for what a real one does only at its worst.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod calls;
mod following;
mod peer;
