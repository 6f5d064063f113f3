//! Why a keystore does not give its secret, and what to do about it.

use std::io;

use super::KeystoreKind;
use super::credential::HOW_TO_MAKE;

/// Why a keystore does not give its secret. The text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// Configure the keystore that the keys were sealed with.
    #[error("the keys were sealed with the keystore `{sealed}`, but `{configured}` is configured")]
    OtherKind {
        sealed: KeystoreKind,
        configured: KeystoreKind,
    },
    /// Bring the secret back: without it no PIN opens the keys.
    #[error("the keystore does not have the secret of these keys: bring it back from where it was")]
    Missing,
    /// Take the rights away from others.
    #[error("the keystore's secret can be read by other users: take the rights away from them")]
    Exposed,
    #[error("the keystore's secret is damaged")]
    Damaged,
    /// Unlock it: the daemon never asks for a keyring's password.
    #[error("the keyring is locked: log in, or unlock it in the desktop's password manager")]
    KeyringLocked,
    /// Make one, or say which one is the default.
    #[error("there is no default keyring: make one in the desktop's password manager")]
    NoKeyring,
    /// Start one.
    #[error(
        "no keyring answers on the session bus: is the desktop session running, with gnome-keyring-daemon or another \
         provider of org.freedesktop.secrets, and DBUS_SESSION_BUS_ADDRESS set?"
    )]
    NoKeyringService,
    /// Try again; look at the keyring's log.
    #[error("the keyring did not answer in time: try again, and look at its log")]
    TimedOut,
    /// Make it, and name it in the unit.
    #[error("the service manager passed no credential to this process; {HOW_TO_MAKE}")]
    NoCredential,
    #[error("the keystore is not available: {0}")]
    Unavailable(#[source] io::Error),
}

/// The same in one word, for who is told no texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeystoreTrouble {
    OtherKind,
    Missing,
    Exposed,
    Damaged,
    KeyringLocked,
    NoKeyring,
    NoKeyringService,
    TimedOut,
    NoCredential,
    Unavailable,
}

impl KeystoreError {
    pub(crate) const fn trouble(&self) -> KeystoreTrouble {
        match self {
            Self::OtherKind { .. } => KeystoreTrouble::OtherKind,
            Self::Missing => KeystoreTrouble::Missing,
            Self::Exposed => KeystoreTrouble::Exposed,
            Self::Damaged => KeystoreTrouble::Damaged,
            Self::KeyringLocked => KeystoreTrouble::KeyringLocked,
            Self::NoKeyring => KeystoreTrouble::NoKeyring,
            Self::NoKeyringService => KeystoreTrouble::NoKeyringService,
            Self::TimedOut => KeystoreTrouble::TimedOut,
            Self::NoCredential => KeystoreTrouble::NoCredential,
            Self::Unavailable(_) => KeystoreTrouble::Unavailable,
        }
    }
}
