//! The door to the keystores: which one is used is explicit, and no weaker one ever stands in for it (D22).

mod file;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use connect_proto::hash::sha256;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

/// Where the secret that a PIN alone does not give is kept, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keystore {
    /// No keystore: the passphrase is all there is, and must be strong.
    Passphrase,
    /// A file of its own in a directory that no copy of the state directory carries along.
    File { directory: PathBuf },
}

/// A keystore's kind, as it is written in the configuration and in the sealed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeystoreKind {
    Passphrase,
    File,
}

impl KeystoreKind {
    pub const ALL: [Self; 2] = [Self::Passphrase, Self::File];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::File => "file",
        }
    }
}

impl fmt::Display for KeystoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No keystore has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such keystore: `passphrase` and `file` are known")]
pub struct UnknownKeystore;

impl FromStr for KeystoreKind {
    type Err = UnknownKeystore;

    fn from_str(name: &str) -> Result<Self, UnknownKeystore> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownKeystore)
    }
}

/// Why a keystore does not give its secret.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// Configure the keystore that the keys were sealed with.
    #[error("the keys were sealed with the keystore `{sealed}`, but `{configured}` is configured")]
    OtherKind {
        sealed: KeystoreKind,
        configured: KeystoreKind,
    },
    /// Bring the secret back: without it no PIN opens the keys.
    #[error("the keystore does not have the secret of these keys")]
    Missing,
    /// Take the rights away from others.
    #[error("the keystore's secret can be read by other users")]
    Exposed,
    #[error("the keystore's secret is damaged")]
    Damaged,
    #[error("the keystore is not available: {0}")]
    Unavailable(#[source] io::Error),
}

impl Keystore {
    pub const fn kind(&self) -> KeystoreKind {
        match self {
            Self::Passphrase => KeystoreKind::Passphrase,
            Self::File { .. } => KeystoreKind::File,
        }
    }

    /// Makes and keeps a new secret. One that is there already is left alone: it may open other keys.
    pub(crate) fn create(
        &self,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Option<SecretId>, KeystoreSecret), KeystoreError> {
        match self {
            Self::Passphrase => Ok((None, KeystoreSecret::none())),
            Self::File { directory } => {
                let secret = KeystoreSecret::generate(rng);
                let id = SecretId::of(&secret);
                file::save(directory, &id, &secret)?;
                Ok((Some(id), secret))
            }
        }
    }

    /// The secret of that id. The kinds agree, as the caller has checked.
    pub(crate) fn load(&self, id: Option<&SecretId>) -> Result<KeystoreSecret, KeystoreError> {
        match (self, id) {
            (Self::Passphrase, None) => Ok(KeystoreSecret::none()),
            (Self::File { directory }, Some(id)) => {
                let secret = file::load(directory, id)?;
                if SecretId::of(&secret) == *id {
                    Ok(secret)
                } else {
                    Err(KeystoreError::Damaged)
                }
            }
            (Self::Passphrase, Some(_)) | (Self::File { .. }, None) => Err(KeystoreError::Missing),
        }
    }

    pub(crate) fn remove(&self, id: Option<&SecretId>) -> Result<(), KeystoreError> {
        match (self, id) {
            (Self::File { directory }, Some(id)) => file::remove(directory, id),
            _ => Ok(()),
        }
    }
}

/// What a keystore adds to the PIN: 32 random bytes, or nothing.
pub(crate) struct KeystoreSecret(Zeroizing<Vec<u8>>);

pub(crate) const SECRET_LEN: usize = 32;

impl KeystoreSecret {
    pub(crate) fn none() -> Self {
        Self(Zeroizing::default())
    }

    fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = Zeroizing::new(vec![0; SECRET_LEN]);
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    fn from_stored(bytes: Zeroizing<Vec<u8>>) -> Result<Self, KeystoreError> {
        if bytes.len() == SECRET_LEN {
            Ok(Self(bytes))
        } else {
            Err(KeystoreError::Damaged)
        }
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Names a secret without telling it, so that a wrong keystore is never mistaken for a wrong PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretId([u8; Self::LEN]);

impl SecretId {
    pub(crate) const LEN: usize = 16;

    fn of(secret: &KeystoreSecret) -> Self {
        let bound = Zeroizing::new([b"connect/keystore-id/v1\0", secret.expose()].concat());
        let digest = sha256(&bound);
        let mut id = [0; Self::LEN];
        id.copy_from_slice(&digest[..Self::LEN]);
        Self(id)
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_as_it_is_parsed() {
        for kind in KeystoreKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("keychain".parse::<KeystoreKind>(), Err(UnknownKeystore));
    }
}
