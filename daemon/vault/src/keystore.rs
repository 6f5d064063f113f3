//! The door to the keystores: which one is used is explicit, and no weaker one ever stands in for it (D22).

mod credential;
#[cfg(windows)]
mod credential_manager;
mod error;
mod file;
#[cfg(target_os = "macos")]
mod keychain;
mod kind;
mod secret;
#[cfg(target_os = "linux")]
mod secret_service;

use std::path::PathBuf;

use rand_core::CryptoRngCore;

pub use credential::{CREDENTIAL, HOW_TO_MAKE};
pub use error::{KeystoreError, KeystoreTrouble};
pub use kind::{KeystoreKind, UnknownKeystore};
pub(crate) use secret::{KeystoreSecret, SecretId};

/// Where the secret that a PIN alone does not give is kept, as configured. A kind that this system lacks is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keystore {
    /// No keystore: the passphrase is all there is, and must be strong.
    Passphrase,
    /// A file of its own in a directory that no copy of the state directory carries along.
    File { directory: PathBuf },
    /// What a service manager decrypts for the unit (`LoadCredentialEncrypted=`), by TPM2 and host key. Read-only.
    SystemdCredential {
        /// `$CREDENTIALS_DIRECTORY`, where it is set.
        directory: Option<PathBuf>,
    },
    /// The user's keyring (GNOME Keyring, KWallet, KeePassXC) by the Secret Service API.
    #[cfg(target_os = "linux")]
    SecretService {
        /// A D-Bus address; the session bus where none is given.
        bus: Option<String>,
    },
    /// The user's keychain.
    #[cfg(target_os = "macos")]
    Keychain,
    /// The user's credentials, under DPAPI.
    #[cfg(windows)]
    CredentialManager,
}

/// Keeps secrets by their ids. What was saved survives a restart, and two secrets never meet.
trait Shelf {
    /// `Missing` where there is none of that id.
    fn load(&self, id: &SecretId) -> Result<KeystoreSecret, KeystoreError>;

    fn save(&self, id: &SecretId, secret: &KeystoreSecret) -> Result<(), KeystoreError>;

    /// Nothing there is as good as removed.
    fn remove(&self, id: &SecretId) -> Result<(), KeystoreError>;
}

/// What keeps a kind's secret.
enum Keeper<'a> {
    Nobody,
    Shelf(Box<dyn Shelf + 'a>),
    /// Someone else makes and removes it.
    Given(credential::Credential<'a>),
}

impl Keystore {
    pub const fn kind(&self) -> KeystoreKind {
        match self {
            Self::Passphrase => KeystoreKind::Passphrase,
            Self::File { .. } => KeystoreKind::File,
            Self::SystemdCredential { .. } => KeystoreKind::SystemdCredential,
            #[cfg(target_os = "linux")]
            Self::SecretService { .. } => KeystoreKind::SecretService,
            #[cfg(target_os = "macos")]
            Self::Keychain => KeystoreKind::Keychain,
            #[cfg(windows)]
            Self::CredentialManager => KeystoreKind::CredentialManager,
        }
    }

    fn keeper(&self) -> Keeper<'_> {
        match self {
            Self::Passphrase => Keeper::Nobody,
            Self::File { directory } => Keeper::Shelf(Box::new(file::FileShelf { directory })),
            Self::SystemdCredential { directory } => Keeper::Given(credential::Credential {
                directory: directory.as_deref(),
            }),
            #[cfg(target_os = "linux")]
            Self::SecretService { bus } => Keeper::Shelf(Box::new(secret_service::Keyring {
                bus: bus.as_deref(),
                patience: secret_service::PATIENCE,
            })),
            #[cfg(target_os = "macos")]
            Self::Keychain => Keeper::Shelf(Box::new(keychain::Keychain)),
            #[cfg(windows)]
            Self::CredentialManager => {
                Keeper::Shelf(Box::new(credential_manager::CredentialManager))
            }
        }
    }

    /// Whether what can not come by itself while the process runs is there: a credential, say, but not a keyring.
    pub fn check_given(&self) -> Result<(), KeystoreError> {
        match self.keeper() {
            Keeper::Given(credential) => credential.load().map(drop),
            Keeper::Nobody | Keeper::Shelf(_) => Ok(()),
        }
    }

    /// Makes and keeps a new secret. One that is there already is left alone: it may open other keys.
    pub(crate) fn create(
        &self,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Option<SecretId>, KeystoreSecret), KeystoreError> {
        match self.keeper() {
            Keeper::Nobody => Ok((None, KeystoreSecret::none())),
            Keeper::Shelf(keeper) => {
                let secret = KeystoreSecret::generate(rng);
                let id = SecretId::of(&secret);
                keeper.save(&id, &secret)?;
                Ok((Some(id), secret))
            }
            Keeper::Given(credential) => {
                let secret = credential.load()?;
                Ok((Some(SecretId::of(&secret)), secret))
            }
        }
    }

    /// The secret of that id. The kinds agree, as the caller has checked.
    pub(crate) fn load(&self, id: Option<&SecretId>) -> Result<KeystoreSecret, KeystoreError> {
        match (self.keeper(), id) {
            (Keeper::Nobody, None) => Ok(KeystoreSecret::none()),
            (Keeper::Shelf(keeper), Some(id)) => {
                let secret = keeper.load(id)?;
                if SecretId::of(&secret) == *id {
                    Ok(secret)
                } else {
                    Err(KeystoreError::Damaged)
                }
            }
            (Keeper::Given(credential), Some(id)) => {
                let secret = credential.load()?;
                if SecretId::of(&secret) == *id {
                    Ok(secret)
                } else {
                    Err(KeystoreError::Missing)
                }
            }
            (Keeper::Nobody, Some(_)) | (Keeper::Shelf(_) | Keeper::Given(_), None) => {
                Err(KeystoreError::Missing)
            }
        }
    }

    pub(crate) fn remove(&self, id: Option<&SecretId>) -> Result<(), KeystoreError> {
        match (self.keeper(), id) {
            (Keeper::Shelf(keeper), Some(id)) => keeper.remove(id),
            _ => Ok(()),
        }
    }
}
