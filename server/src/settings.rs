//! `relay.toml` in the state directory: the names of the relay, and the limits that differ from the defaults.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits::Limits;

pub const FILE: &str = "relay.toml";

/// What an administrator may set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The host names by which clients reach the relay, on its own port or 443.
    pub hosts: Vec<String>,
    /// Further `host:port` pairs, where a port forward or a balancer stands before it.
    #[serde(default)]
    pub authorities: Vec<String>,
    #[serde(default)]
    pub limits: Limits,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0} does not exist: run `connect-relay init` first")]
    Missing(PathBuf),
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, std::io::Error),
    #[error("{0}: {1}")]
    Malformed(PathBuf, String),
}

/// What `init` writes: the part that has no default.
#[derive(Serialize)]
struct Fresh<'a> {
    hosts: &'a [String],
    authorities: [&'a str; 0],
}

impl Settings {
    pub fn load(state_dir: &Path) -> Result<Self, SettingsError> {
        let path = state_dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SettingsError::Missing(path.clone()),
            _ => SettingsError::Read(path.clone(), error),
        })?;
        toml::from_str(&text)
            .map_err(|error| SettingsError::Malformed(path, error.message().to_owned()))
    }

    /// The first `relay.toml`, as text.
    pub(crate) fn fresh(hosts: &[String]) -> Result<String, toml::ser::Error> {
        let names = toml::to_string(&Fresh {
            hosts,
            authorities: [],
        })?;
        Ok(format!(
            "# hosts: the names by which clients reach this relay, on its own port or 443.\n\
             # authorities: further \"host:port\" pairs, where a port forward stands before it.\n\
             {names}\n\
             # [limits] may hold connections, connections_per_address, bodies_bytes, requests_per_second, request_burst,\n\
             # enrollments_per_minute,\n\
             # enrollments_per_minute_in_all, mailbox_messages, mailbox_bytes, contact_update_audience,\n\
             # handshake_seconds, header_seconds and body_seconds.\n"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_init_writes_is_read_back() {
        let hosts = ["relay.example.org".to_owned()];
        let settings: Settings = toml::from_str(&Settings::fresh(&hosts).unwrap()).unwrap();
        assert_eq!(settings.hosts, hosts);
        assert_eq!(settings.limits, Limits::default());
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        assert!(toml::from_str::<Settings>("hosts = []\nhostz = 1").is_err());
        assert!(toml::from_str::<Settings>("hosts = []\n[limits]\nmailbox = 1").is_err());
    }
}
