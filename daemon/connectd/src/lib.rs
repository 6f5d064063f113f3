//! connectd, the agent that holds the keys: socket in, house together, life and death.

pub mod caller;
pub mod config;
pub mod doctor;
pub mod host;
pub mod lifecycle;
pub mod limits;
pub mod offline;
#[cfg(unix)]
pub mod organisation;
pub mod pin_file;
pub mod places;
pub mod rpc;
pub mod stacks;
mod unattended;

mod accept;
mod connection;
mod instance;
#[cfg(target_os = "linux")]
mod logind;
mod output;
#[cfg(target_os = "linux")]
mod presence;
mod request;
