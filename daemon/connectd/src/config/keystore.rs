//! `[keystore]`: the kind is what the file says, or the unit, or follows from how the process was started (D22).

use std::path::{Path, PathBuf};

use connect_vault::keystore::{Keystore, KeystoreKind};
use serde::Deserialize;

use super::ConfigError;
use crate::places::Service;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeystoreSection {
    kind: Option<String>,
    /// Of `file`.
    directory: Option<PathBuf>,
    /// Of `secret-service`: a D-Bus address.
    bus: Option<String>,
}

impl KeystoreSection {
    /// A credential that cannot be had, or a keyring that is away, is never a reason to take another kind.
    pub(super) fn choose(
        self,
        state_dir: &Path,
        service: &Service,
    ) -> Result<Keystore, ConfigError> {
        let kind = self.kind(service)?;
        for (option, is_there, of) in [
            ("directory", self.directory.is_some(), KeystoreKind::File),
            ("bus", self.bus.is_some(), KeystoreKind::SecretService),
        ] {
            if is_there && kind != of {
                return Err(ConfigError::KeystoreOption { option, kind });
            }
        }
        Ok(match kind {
            KeystoreKind::Passphrase => Keystore::Passphrase,
            KeystoreKind::File => Keystore::File {
                directory: self.directory.unwrap_or_else(|| state_dir.join("keystore")),
            },
            KeystoreKind::SystemdCredential => Keystore::SystemdCredential {
                directory: service.credentials.clone(),
            },
            #[cfg(target_os = "linux")]
            KeystoreKind::SecretService => Keystore::SecretService { bus: self.bus },
            #[cfg(target_os = "macos")]
            KeystoreKind::Keychain => Keystore::Keychain,
            #[cfg(windows)]
            KeystoreKind::CredentialManager => Keystore::CredentialManager,
            elsewhere => return Err(ConfigError::NotHere(elsewhere)),
        })
    }

    fn kind(&self, service: &Service) -> Result<KeystoreKind, ConfigError> {
        match self.kind.as_deref().or(service.keystore.as_deref()) {
            Some(name) => Ok(name.parse()?),
            None if service.credentials.is_some() => Ok(KeystoreKind::SystemdCredential),
            None => Ok(KeystoreKind::File),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(section: &str, service: &Service) -> Result<Keystore, ConfigError> {
        let section: KeystoreSection = toml::from_str(section).unwrap();
        section.choose(Path::new("/state"), service)
    }

    #[test]
    fn the_file_comes_before_the_unit_and_the_unit_before_the_default() {
        let kind = |section: &str, service: &Service| chosen(section, service).unwrap().kind();
        let unit = Service {
            keystore: Some("systemd-credential".into()),
            credentials: None,
        };
        let credentials = Service {
            keystore: None,
            credentials: Some("/run/credentials/connectd.service".into()),
        };
        assert_eq!(kind("", &Service::default()), KeystoreKind::File);
        for service in [&unit, &credentials] {
            assert_eq!(kind("", service), KeystoreKind::SystemdCredential);
            assert_eq!(kind("kind = 'file'", service), KeystoreKind::File);
        }
        assert_eq!(
            chosen("", &credentials).unwrap(),
            Keystore::SystemdCredential {
                directory: credentials.credentials
            }
        );
    }

    #[test]
    fn a_kind_of_another_system_and_an_option_of_another_kind_are_refused() {
        let refused = |section: &str| chosen(section, &Service::default()).unwrap_err();
        assert!(matches!(
            refused("kind = 'keyring'"),
            ConfigError::Keystore(_)
        ));
        #[cfg(target_os = "linux")]
        for kind in [KeystoreKind::Keychain, KeystoreKind::CredentialManager] {
            let error = refused(&format!("kind = '{kind}'"));
            assert!(matches!(error, ConfigError::NotHere(other) if other == kind));
        }
        for section in [
            "kind = 'passphrase'\ndirectory = '/d'",
            "kind = 'file'\nbus = 'unix:path=/b'",
        ] {
            assert!(matches!(
                refused(section),
                ConfigError::KeystoreOption { .. }
            ));
        }
    }
}
