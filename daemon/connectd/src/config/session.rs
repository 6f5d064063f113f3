//! `[session]`: what opens the keys without a caller, and how far the idle lock goes.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;
use crate::places::Service;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SessionSection {
    /// A credential's name, or the absolute path of a file: the PIN or passphrase for a start without anyone.
    unattended_pin: Option<PathBuf>,
    when_idle: WhenIdle,
    lock_on: Option<Vec<LockOn>>,
}

/// What else than time and a call locks the session (§10.2, D23), where logind tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockOn {
    /// The host is about to sleep.
    Suspend,
    /// A login session of the daemon's own user is locked.
    SessionLock,
}

impl LockOn {
    /// What holds where the file says nothing.
    pub const ALL: [Self; 2] = [Self::Suspend, Self::SessionLock];
}

/// What becomes of a session that nobody uses.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenIdle {
    /// The keys leave the memory, and sync stops.
    #[default]
    Wipe,
    /// Callers are shut out; keys stay and sync goes on.
    Cover,
}

/// Where a PIN lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinPlace {
    File(PathBuf),
    /// In the unit's credentials, where it has some.
    Credential {
        name: PathBuf,
        directory: Option<PathBuf>,
    },
}

/// As it is in force.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// Where the PIN for a start without anyone lies; none: somebody has to unlock.
    pub unattended_pin: Option<PinPlace>,
    pub when_idle: WhenIdle,
    pub lock_on: Vec<LockOn>,
}

impl SessionSection {
    /// What is done while no daemon runs needs no credentials.
    pub(super) fn settle(self, service: &Service) -> Result<SessionConfig, ConfigError> {
        let unattended_pin = match self.unattended_pin {
            Some(path) if path.is_absolute() => Some(PinPlace::File(path)),
            Some(name) if name.components().count() == 1 => Some(PinPlace::Credential {
                name,
                directory: service.credentials.clone(),
            }),
            Some(_) => return Err(ConfigError::UnattendedPin),
            None => None,
        };
        Ok(SessionConfig {
            unattended_pin,
            when_idle: self.when_idle,
            lock_on: self.lock_on.unwrap_or_else(|| LockOn::ALL.to_vec()),
        })
    }
}
