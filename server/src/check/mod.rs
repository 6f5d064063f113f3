//! What a request may contain: pure checks between decoding and the database.

pub(crate) mod ack;
pub(crate) mod attachment;
pub(crate) mod envelope;
pub(crate) mod profile;
pub(crate) mod search;
