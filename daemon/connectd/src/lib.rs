//! connectd, the agent that holds the keys: socket in, house together, life and death.

pub mod caller;
pub mod config;
pub mod doctor;
pub mod host;
pub mod lifecycle;
pub mod limits;
pub mod offline;
pub mod pin_file;
pub mod places;
pub mod rpc;
mod unattended;

mod accept;
mod connection;
mod instance;
#[cfg(target_os = "linux")]
mod logind;
mod output;
mod request;
