//! The relay's identity in its state directory: certificate, spare key, operations key; made once, kept afterwards.

mod certificate;
mod files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::secret::RelaySecret;
use crate::settings::{self, Settings};

pub(crate) use certificate::read_leaf;
pub(crate) use files::{create_private, create_private_dir};

pub(crate) const CERTIFICATE: &str = "tls.crt";
pub(crate) const KEY: &str = "tls.key";
const SPARE_KEY: &str = "tls-spare.key";
const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const OPERATIONS_KEY: &str = "operations.key";
/// Names under which the machine itself reaches its relay.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What clients need to know before they trust this relay (D29).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The private CA; none where the administrator brought a certificate of another one.
    pub ca_pem_path: Option<PathBuf>,
    /// `sha256/BASE64` of the SPKI of the certificate in use, and of the spare key.
    pub pins: [String; 2],
    /// When the certificate in use expires.
    pub expires_ms: u64,
}

/// The identity cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("cannot use {0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error("{0} is not what its name says: {1}")]
    Content(PathBuf, &'static str),
    #[error("{0} is there without {1}: put both, or neither")]
    Half(PathBuf, &'static str),
    #[error("cannot make a key or a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("a host name is needed: --host NAME")]
    NoHost,
    #[error("cannot write the settings: {0}")]
    Settings(#[from] toml::ser::Error),
}

/// Makes what is missing and leaves what is there: running it twice changes nothing.
pub fn init(
    state_dir: &Path,
    hosts: &[String],
    clock: &Clock,
    rng: &mut impl CryptoRngCore,
) -> Result<Identity, InitError> {
    let settings_path = state_dir.join(settings::FILE);
    if hosts.is_empty() && !settings_path.exists() {
        return Err(InitError::NoHost);
    }
    files::create_dir(state_dir)?;
    let hosts = with_local_hosts(hosts);
    files::read_or_create(&state_dir.join(OPERATIONS_KEY), || {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut());
        Ok(Zeroizing::new(seed.to_vec()))
    })?;
    certificate::ensure(state_dir, &hosts, clock.now_ms())?;
    files::read_or_create(&settings_path, || {
        Ok(Zeroizing::new(Settings::fresh(&hosts)?.into_bytes()))
    })?;
    load(state_dir)
}

/// The identity that `init` made.
pub fn load(state_dir: &Path) -> Result<Identity, InitError> {
    let leaf = read_leaf(&state_dir.join(CERTIFICATE))?;
    let spare = certificate::read_key(&state_dir.join(SPARE_KEY))?;
    let ca = state_dir.join(CA);
    Ok(Identity {
        ca_pem_path: ca.exists().then_some(ca),
        pins: [leaf.pin, certificate::pin_of_key(&spare)],
        expires_ms: leaf.expires_ms,
    })
}

/// The operations key, and what is derived from it.
pub(crate) fn read_secret(state_dir: &Path) -> Result<RelaySecret, InitError> {
    let path = state_dir.join(OPERATIONS_KEY);
    let bytes = files::read(&path)?;
    let seed = bytes
        .as_slice()
        .try_into()
        .map_err(|_| InitError::Content(path, "32 bytes are expected"))?;
    Ok(RelaySecret::from_seed(seed))
}

fn with_local_hosts(hosts: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let local = LOCAL_HOSTS.map(str::to_owned);
    hosts
        .iter()
        .map(|host| host.to_ascii_lowercase())
        .chain(local)
        .filter(|host| seen.insert(host.clone()))
        .collect()
}
