//! `relay.toml` in the state directory: the names of the relay, and the limits that differ from the defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits::Limits;

pub const FILE: &str = "relay.toml";
const OPERATORS_SOCKET: &str = "operators.sock";

/// What an administrator may set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The host names by which clients reach the relay, on its own port or 443.
    pub hosts: Vec<String>,
    /// Further `host:port` pairs, where a port forward or a balancer stands before it.
    #[serde(default)]
    pub authorities: Vec<String>,
    /// The operators' socket, where it does not lie in the state directory.
    #[serde(default)]
    pub operators_socket: Option<PathBuf>,
    #[serde(default)]
    pub operators: Operators,
    #[serde(default)]
    pub attachments: Attachments,
    #[serde(default)]
    pub limits: Limits,
}

/// The `[attachments]` of `relay.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attachments {
    /// Where the chunks lie, relative to the state directory; `attachments` in it, unless said otherwise.
    pub directory: Option<PathBuf>,
    /// Instead of a directory.
    pub s3: Option<S3>,
}

/// The `[attachments.s3]` of `relay.toml`: a bucket for the chunks alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// `https://host[:port]`, or `http://` on this machine.
    pub endpoint: String,
    pub bucket: String,
    #[serde(default = "S3::region")]
    pub region: String,
    /// A file with `access_key_id` and `secret_access_key`, relative to the state directory.
    pub credentials: PathBuf,
    /// The store's certificate authorities in PEM, where they are not public ones; relative to the state directory.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

impl S3 {
    fn region() -> String {
        "us-east-1".to_owned()
    }
}

/// The `[operators]` of `relay.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operators {
    /// A revocation or deletion waits until another operator has confirmed it.
    pub four_eyes: bool,
    /// The relay's group may open the socket too (0660 instead of 0600); it takes a credential for everything there.
    pub group: bool,
    /// An address for operators over TLS, and the CA of their certificates (a file, relative to the state directory).
    pub listen: Option<SocketAddr>,
    pub client_ca: Option<PathBuf>,
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

    /// Where operators reach the relay on its own machine.
    pub(crate) fn operators_socket(&self, state_dir: &Path) -> PathBuf {
        let named = self.operators_socket.as_deref();
        state_dir.join(named.unwrap_or(Path::new(OPERATORS_SOCKET)))
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
             # enrollments_per_minute_in_all, searches_per_minute, searches_per_day, search_letters, rotations_per_day,\n\
             # mailbox_messages, mailbox_bytes, contact_update_audience,\n\
             # attachment_bytes, owner_attachments, owner_attachment_bytes, attachments_per_minute, store_bytes,\n\
             # chunks_in_transit_bytes, transfers_per_user, chunk_seconds,\n\
             # handshake_seconds, header_seconds, body_seconds and operator_orders_per_minute.\n\
             # [operators] may hold four_eyes, group, listen and client_ca.\n\
             # [attachments] may hold directory: where their chunks lie; or [attachments.s3] endpoint, bucket, region,\n\
             # credentials and ca.\n"
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
