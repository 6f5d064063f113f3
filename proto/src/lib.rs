//! What connectd and the relay agree on: the schema, ids, public keys, signatures and routes.
//!
//! Everything here is a value or a pure function. Time and randomness are arguments.

pub mod bundle;
pub mod codec;
pub mod enrollment;
pub mod hash;
pub mod ids;
pub mod keys;
pub mod list;
pub mod request;
pub mod routes;
pub mod sign;
pub mod wire;
