//! Where the master key rests, and what opens it: keystores, the PIN and its attempts, the sealed file (§4, D22, D23).

pub mod attempts;
mod cost;
pub mod disk;
pub mod error;
mod kdf;
pub mod keys;
pub mod keystore;
pub mod pin;
pub mod recovery;
pub mod sealed;
pub mod vault;
