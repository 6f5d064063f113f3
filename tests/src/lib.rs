//! Stories over real relays and daemons, checks against published vectors, and the sandbox for newcomers.

pub mod binaries;
pub mod chosen;
pub mod hsalsa;
pub mod processes;
pub mod python;
pub mod raw;
pub mod sandbox;
pub mod vectors;
pub mod world;
