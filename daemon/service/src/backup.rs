//! Backups (§4.2): one encrypted file that the recovery key opens, made while messages flow, looked at and restored.

pub mod create;
pub mod format;
pub mod read;
pub mod receive;
pub mod restore;
pub mod scratch;
pub mod verify;
pub mod write;
