//! Stories over real relays and daemons, checks against published vectors and after crashes, and the sandbox for newcomers.

pub mod apart;
pub mod at_rest;
pub mod binaries;
pub mod canary;
pub mod chosen;
pub mod crash;
pub mod disks;
pub mod fake_relay;
pub mod hsalsa;
pub mod keyring;
pub mod login1;
pub mod mallory;
pub mod memory;
pub mod mischief;
pub mod other_user;
pub mod pattern;
pub mod processes;
pub mod python;
pub mod raw;
pub mod sandbox;
pub mod schema;
pub mod shim;
pub mod tls;
pub mod vectors;
pub mod world;
