//! Patient cases (§3.6, §8.2.3, D16): what their participants share, and the rules for it.

pub mod control;
pub mod field;
pub mod log;
pub mod rules;
pub mod share;
