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
    presence: Option<Presence>,
    presence_hours: Option<u64>,
}

/// Whom the daemon asks whether the person at the host is the owner (§4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Presence {
    /// Linux: by a fingerprint, where fprintd is in its PAM stack, or a password.
    Polkit,
}

/// After a working day the PIN is asked for again.
const PRESENCE_HOURS: u64 = 12;
const MOST_PRESENCE_HOURS: u64 = 7 * 24;

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
    /// For so long after the last PIN a person whom the host recognises lifts a cover; none: nobody does.
    pub presence_ms: Option<u64>,
}

impl SessionSection {
    /// What is done while no daemon runs needs no credentials.
    pub(super) fn settle(self, service: &Service) -> Result<SessionConfig, ConfigError> {
        let presence_ms = self.presence_ms()?;
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
            presence_ms,
            lock_on: self.lock_on.unwrap_or_else(|| LockOn::ALL.to_vec()),
        })
    }

    fn presence_ms(&self) -> Result<Option<u64>, ConfigError> {
        let hours = self.presence_hours.unwrap_or(PRESENCE_HOURS);
        match self.presence {
            None if self.presence_hours.is_some() => Err(ConfigError::PresenceHours),
            None => Ok(None),
            Some(_) if !cfg!(target_os = "linux") => Err(ConfigError::PresenceNotHere),
            Some(_) if self.when_idle != WhenIdle::Cover => Err(ConfigError::PresenceWithoutCover),
            Some(_) if !(1..=MOST_PRESENCE_HOURS).contains(&hours) => {
                Err(ConfigError::PresenceHours)
            }
            Some(Presence::Polkit) => Ok(Some(hours * 3_600_000)),
        }
    }
}
