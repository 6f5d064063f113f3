//! Patient cases: what its participants share of one patient, from its first field to its end (§3.6, §8.2.3, D16).

pub mod change;
pub mod create;
pub mod errands;
pub mod field;
pub mod read;

pub(crate) mod take;
pub(crate) mod waiting;

mod blob;
pub(crate) mod copies;
mod history;
mod past;
mod revisions;
