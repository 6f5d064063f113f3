//! The configuration file, in TOML. What is not in it has the defaults of `rpc.md`.

use std::io;
use std::path::{Path, PathBuf};

use connect_ipc::endpoint::Endpoint;
use connect_ipc::socket::Audience;
use connect_proto::keys::SignPublicKey;
use connect_vault::keystore::{Keystore, KeystoreKind, UnknownKeystore};
use serde::Deserialize;

use crate::config::keystore::KeystoreSection;
use crate::config::session::SessionSection;
use crate::config::trust::TrustSection;
use crate::limits::Limits;
use crate::places;

mod keystore;
mod session;
mod trust;

pub use session::{LockOn, PinPlace, SessionConfig, WhenIdle};

const MAX_FILE: u64 = 1 << 20;

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    socket: Option<PathBuf>,
    keystore: KeystoreSection,
    access: AccessSection,
    session: SessionSection,
    trust: TrustSection,
    limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AccessSection {
    owner_uids: Vec<u32>,
    /// The socket is open to the daemon's group as well.
    group: bool,
}

/// Everything that the daemon was told.
#[derive(Debug, Clone)]
pub struct Config {
    pub state_dir: PathBuf,
    pub endpoint: Endpoint,
    pub keystore: Keystore,
    pub owner_uids: Vec<u32>,
    pub audience: Audience,
    pub session: SessionConfig,
    /// Whose word verifies contacts (D25).
    pub organisation_keys: Vec<SignPublicKey>,
    pub limits: Limits,
}

/// The configuration cannot be used. File contents are not quoted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path} cannot be read: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("{path} is not a valid configuration, line {line}: {message}")]
    Parse {
        path: PathBuf,
        line: usize,
        message: String,
    },
    #[error("keystore.kind: {0}")]
    Keystore(#[from] UnknownKeystore),
    #[error("keystore.kind: {0} is not on this system")]
    NotHere(KeystoreKind),
    #[error("keystore.{option} does not go with the kind {kind}")]
    KeystoreOption {
        option: &'static str,
        kind: KeystoreKind,
    },
    #[error("limits.{0} has a value that the daemon cannot work with")]
    Limit(&'static str),
    #[error("session.unattended_pin is the name of a credential or an absolute path")]
    UnattendedPin,
    #[error(
        "session.presence needs session.when_idle = \"cover\": without the PIN nothing opens keys that were wiped"
    )]
    PresenceWithoutCover,
    #[error("session.presence_hours is from 1 to 168, beside session.presence")]
    PresenceHours,
    #[error("session.presence: this system has no polkit")]
    PresenceNotHere,
    #[error("trust.organisation_keys has what is no public key: 64 digits of hex")]
    OrganisationKey,
    #[error("there is no default for {0} here: give {1}")]
    NoDefault(&'static str, &'static str),
}

/// What the command line says comes before the file, and the file before the defaults.
#[derive(Debug, Default, Clone)]
pub struct Overrides {
    pub state_dir: Option<PathBuf>,
    pub socket: Option<PathBuf>,
    pub config: Option<PathBuf>,
}

pub fn load(overrides: Overrides) -> Result<Config, ConfigError> {
    let file = read(overrides.config.as_deref())?;
    let state_dir = overrides
        .state_dir
        .or_else(places::state_dir)
        .ok_or(ConfigError::NoDefault("the state directory", "--state-dir"))?;
    let endpoint = overrides
        .socket
        .or(file.socket)
        .map(Endpoint::new)
        .or_else(places::endpoint)
        .ok_or(ConfigError::NoDefault("the socket", "--socket"))?;
    if let Some(name) = file.limits.unusable() {
        return Err(ConfigError::Limit(name));
    }
    let service = places::service();
    let keystore = file.keystore.choose(&state_dir, &service)?;
    let session = file.session.settle(&service)?;
    let organisation_keys = file.trust.read()?;
    Ok(Config {
        state_dir,
        endpoint,
        keystore,
        owner_uids: file.access.owner_uids,
        audience: if file.access.group {
            Audience::Group
        } else {
            Audience::User
        },
        session,
        organisation_keys,
        limits: file.limits,
    })
}

/// A file that was named has to be there; the default one need not.
fn read(named: Option<&Path>) -> Result<File, ConfigError> {
    let Some(path) = named.map(Path::to_owned).or_else(places::config_file) else {
        return Ok(File::default());
    };
    let content = match read_bounded(&path) {
        Ok(content) => content,
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            return Ok(File::default());
        }
        Err(error) => return Err(ConfigError::Read { path, error }),
    };
    toml::from_str(&content).map_err(|error| ConfigError::Parse {
        line: error
            .span()
            .map_or(1, |span| content[..span.start].lines().count().max(1)),
        message: error.message().to_owned(),
        path,
    })
}

fn read_bounded(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut content = String::new();
    std::fs::File::open(path)?
        .take(MAX_FILE)
        .read_to_string(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_from(content: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("connectd.toml");
        std::fs::write(&path, content).unwrap();
        load(Overrides {
            state_dir: Some("/state".into()),
            socket: Some("/run/test.sock".into()),
            config: Some(path),
        })
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let config = load_from("").unwrap();
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.session.lock_on, LockOn::ALL);
        assert_eq!(
            config.keystore,
            Keystore::File {
                directory: "/state/keystore".into()
            }
        );
    }

    #[test]
    fn what_is_in_the_file_counts() {
        let config = load_from(
            "[keystore]\nkind = \"passphrase\"\n[access]\nowner_uids = [7]\ngroup = true\n[limits]\ncalls = 3\n",
        )
        .unwrap();
        assert_eq!(config.keystore, Keystore::Passphrase);
        assert_eq!(config.owner_uids, [7]);
        assert_eq!(config.audience, Audience::Group);
        assert_eq!(config.limits.calls, 3);
        assert_eq!(config.limits.call_s, 30);
    }

    #[test]
    fn what_locks_the_session_is_what_the_file_says() {
        let lock_on = |content| load_from(content).map(|config| config.session.lock_on);
        assert_eq!(lock_on("[session]\nlock_on = []").unwrap(), []);
        let suspend = lock_on("[session]\nlock_on = [\"suspend\"]").unwrap();
        assert_eq!(suspend, [LockOn::Suspend]);
        let error = lock_on("[session]\nlock_on = [\"sleep\"]").unwrap_err();
        assert!(
            matches!(error, ConfigError::Parse { line: 2, .. }),
            "{error}"
        );
    }

    #[test]
    fn presence_goes_with_a_cover_and_for_some_hours() {
        let presence = |content: &str| load_from(content).map(|config| config.session.presence_ms);
        let cover = "[session]\nwhen_idle = \"cover\"\n";
        let asked = format!("{cover}presence = \"polkit\"\n");
        assert_eq!(presence(cover).unwrap(), None);
        assert_eq!(presence(&asked).unwrap(), Some(12 * 3_600_000));
        let for_two = format!("{asked}presence_hours = 2\n");
        assert_eq!(presence(&for_two).unwrap(), Some(2 * 3_600_000));
        let refused = |content: &str| presence(content).unwrap_err().to_string();
        assert!(refused("[session]\npresence = \"polkit\"\n").contains("when_idle"));
        assert!(refused(&format!("{asked}presence_hours = 0\n")).contains("1 to 168"));
        assert!(refused("[session]\npresence_hours = 1\n").contains("beside"));
    }

    #[test]
    fn limits_that_would_stop_the_daemon_are_refused_by_name() {
        assert_eq!(Limits::default().unusable(), None);
        for (line, name) in [
            ("calls = 0", "calls"),
            ("line_in = 4611686018427387904", "line_in"),
            ("call_s = 0", "call_s"),
            ("idle_lock_s = 90000", "idle_lock_s"),
            ("stalled_s = 9000000000000000000", "stalled_s"),
            ("send_burst = 0", "send_burst"),
        ] {
            let error = load_from(&format!("[limits]\n{line}\n")).unwrap_err();
            assert!(
                matches!(error, ConfigError::Limit(limit) if limit == name),
                "{error}"
            );
        }
    }

    #[test]
    fn organisations_are_named_by_their_public_keys() {
        let line = |key: &str| load_from(&format!("[trust]\norganisation_keys = [\"{key}\"]"));
        let key = connect_proto::sign::SignSecretKey::from_seed(&[7; 32]).public_key();
        let config = line(&hex::encode(key.as_bytes())).unwrap();
        assert_eq!(config.organisation_keys, [key]);
        for bad in ["", "0123", &"00".repeat(32), &"g".repeat(64)] {
            let error = line(bad).unwrap_err();
            assert!(matches!(error, ConfigError::OrganisationKey), "{error}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let error = load_from("[limits]\ncalls = 3\ncals = 4\n").unwrap_err();
        assert!(
            matches!(error, ConfigError::Parse { line: 2..=3, .. }),
            "{error}"
        );
        assert!(matches!(
            load_from("[keystore]\nkind = \"none\"\n").unwrap_err(),
            ConfigError::Keystore(_)
        ));
        let missing = load(Overrides {
            config: Some("/nonexistent/connectd.toml".into()),
            ..Overrides::default()
        });
        assert!(matches!(missing.unwrap_err(), ConfigError::Read { .. }));
    }
}
