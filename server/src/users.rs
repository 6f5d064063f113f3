//! Users as the relay's own numbers.

/// A user inside the database. Numbers, unlike names, may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct UserNumber(pub(crate) i64);
