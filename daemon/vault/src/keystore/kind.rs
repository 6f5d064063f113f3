//! The kinds of keystores, by the names that stand in the configuration and in the sealed file.

use std::fmt;
use std::str::FromStr;

/// A keystore's kind. All are known everywhere: a sealed file may have come from another system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeystoreKind {
    Passphrase,
    File,
    SecretService,
    SystemdCredential,
    Keychain,
    CredentialManager,
}

impl KeystoreKind {
    pub const ALL: [Self; 6] = [
        Self::Passphrase,
        Self::File,
        Self::SecretService,
        Self::SystemdCredential,
        Self::Keychain,
        Self::CredentialManager,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::File => "file",
            Self::SecretService => "secret-service",
            Self::SystemdCredential => "systemd-credential",
            Self::Keychain => "keychain",
            Self::CredentialManager => "credential-manager",
        }
    }

    /// Whether a keystore adds to what is typed; where none does, a passphrase is demanded (D22).
    pub const fn has_secret(self) -> bool {
        !matches!(self, Self::Passphrase)
    }
}

impl fmt::Display for KeystoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No keystore has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such keystore: known are passphrase, file, secret-service, systemd-credential, keychain and credential-manager"
)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_as_it_is_parsed_and_as_it_is_listed() {
        for kind in KeystoreKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert!(UnknownKeystore.to_string().contains(kind.name()));
        }
        assert_eq!("none".parse::<KeystoreKind>(), Err(UnknownKeystore));
    }
}
