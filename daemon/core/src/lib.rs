//! Bytes to messages and back: secret keys, boxes, padding, outbound, inbound, fingerprints. Pure.
//!
//! Time and randomness are arguments; there is no file, socket or database in here.

pub mod attachment;
pub mod backup;
pub mod boxes;
pub mod case;
pub mod fingerprint;
pub mod group;
pub mod inbound;
pub mod message;
pub mod nonce;
pub mod outbound;
pub mod padding;
pub mod pseudonym;
pub mod refusal;
pub mod refused;
pub mod secret;
pub mod secretbox;
pub mod signed;
pub mod standing;
pub mod token;
pub mod wrap;

mod bulk;
