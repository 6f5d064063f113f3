//! What every change of a patient case comes down to: an entry, a revision, a key, an epoch (§3.6, D16).

pub(crate) mod catch_up;
pub(crate) mod epochs;
pub(crate) mod fork;
pub(crate) mod revise;
pub(crate) mod share;
pub(crate) mod write;
