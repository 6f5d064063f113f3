//! The user's keyring: one item per secret in the default collection, by the Secret Service API on the session bus.
//!
//! Nothing prompts: a dialog would come up before someone who may not have asked, and hold a call for as long as it
//! stands. A locked keyring is an answer instead.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
use zbus::connection;
use zeroize::Zeroizing;

use super::{KeystoreError, KeystoreSecret, SecretId, Shelf};

/// How long a keyring may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const LABEL: &str = "connectd: opens the keys of a Connect account, together with its PIN";
const CONTENT_TYPE: &str = "application/octet-stream";
/// Keeps nothing beyond the login session.
const PASSING: &str = "/org/freedesktop/secrets/collection/session";

pub(super) struct Keyring<'a> {
    pub(super) bus: Option<&'a str>,
    pub(super) patience: Duration,
}

impl Shelf for Keyring<'_> {
    fn load(&self, id: &SecretId) -> Result<KeystoreSecret, KeystoreError> {
        self.ask(async |service| {
            let Some(item) = find(&service, id).await? else {
                open_collection(&service).await?;
                return Err(KeystoreError::Missing);
            };
            // The library hands out plain memory; from here on it is wiped.
            let bytes = Zeroizing::new(item.get_secret().await.map_err(refused)?);
            KeystoreSecret::from_stored(bytes)
        })
    }

    fn save(&self, id: &SecretId, secret: &KeystoreSecret) -> Result<(), KeystoreError> {
        self.ask(async |service| {
            let id = id.to_string();
            let collection = open_collection(&service).await?;
            let (named, replace) = (attributes(&id), false);
            let made = collection.create_item(LABEL, named, secret.expose(), replace, CONTENT_TYPE);
            made.await.map(drop).map_err(refused)
        })
    }

    fn remove(&self, id: &SecretId) -> Result<(), KeystoreError> {
        self.ask(async |service| match find(&service, id).await? {
            Some(item) => item.delete().await.map_err(refused),
            None => open_collection(&service).await.map(drop),
        })
    }
}

impl Keyring<'_> {
    /// In a thread and a runtime of its own: the caller may stand in one that must not block, or in none.
    fn ask<T: Send>(
        &self,
        question: impl AsyncFnOnce(SecretService<'static>) -> Result<T, KeystoreError> + Send,
    ) -> Result<T, KeystoreError> {
        let asked = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(KeystoreError::Unavailable)?;
            let answer = runtime.block_on(async {
                let answer = async { question(self.connect().await?).await };
                tokio::time::timeout(self.patience, answer).await
            });
            runtime.shutdown_background();
            answer.unwrap_or(Err(KeystoreError::TimedOut))
        };
        let joined = std::thread::scope(|scope| scope.spawn(asked).join());
        joined.unwrap_or_else(|_| Err(unavailable("the keyring's client failed")))
    }

    async fn connect(&self) -> Result<SecretService<'static>, KeystoreError> {
        let bus = match self.bus {
            Some(address) => connection::Builder::address(address),
            None => connection::Builder::session(),
        };
        let connecting = async { bus?.build().await };
        let connection = connecting.await.map_err(|error| {
            tracing::debug!(%error, "no session bus");
            KeystoreError::NoKeyringService
        })?;
        // The bus may be anyone's machine-wide one: what crosses it is encrypted all the same.
        SecretService::connect_with_existing(EncryptionType::Dh, connection)
            .await
            .map_err(refused)
    }
}

fn attributes(id: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", "connectd"), ("secret-id", id)])
}

/// The item of that id, wherever it lies; `KeyringLocked` where it is there and cannot be read.
async fn find<'a>(
    service: &'a SecretService<'_>,
    id: &SecretId,
) -> Result<Option<Item<'a>>, KeystoreError> {
    let id = id.to_string();
    let mut found = service
        .search_items(attributes(&id))
        .await
        .map_err(refused)?;
    if found.unlocked.is_empty() && !found.locked.is_empty() {
        return Err(KeystoreError::KeyringLocked);
    }
    Ok(found.unlocked.pop())
}

/// The default collection, where it can be read and written.
async fn open_collection<'a>(
    service: &'a SecretService<'_>,
) -> Result<Collection<'a>, KeystoreError> {
    let collection = service.get_default_collection().await.map_err(refused)?;
    if collection.collection_path.as_str() == PASSING {
        return Err(KeystoreError::NoKeyring);
    }
    if collection.is_locked().await.map_err(refused)? {
        return Err(KeystoreError::KeyringLocked);
    }
    Ok(collection)
}

fn refused(error: Error) -> KeystoreError {
    match error {
        Error::Locked | Error::Prompt | Error::PromptDisconnected => KeystoreError::KeyringLocked,
        Error::NoResult => KeystoreError::NoKeyring,
        Error::Unavailable => KeystoreError::NoKeyringService,
        Error::Zbus(zbus::Error::MethodError(name, ..)) => by_name(&name),
        Error::Zbus(zbus::Error::FDO(error)) => by_fdo(&error),
        Error::ZbusFdo(error) => by_fdo(&error),
        // The texts of the others are not passed on: they may quote what was on its way.
        Error::Zbus(_) => unavailable("the bus refused"),
        _ => unavailable("the keyring's answer is not understood"),
    }
}

fn by_fdo(error: &zbus::fdo::Error) -> KeystoreError {
    use zbus::DBusError as _;
    if let zbus::fdo::Error::ZBus(zbus::Error::MethodError(name, ..)) = error {
        return by_name(name);
    }
    by_name(&error.name())
}

fn by_name(name: &str) -> KeystoreError {
    match name {
        "org.freedesktop.Secret.Error.IsLocked" => KeystoreError::KeyringLocked,
        "org.freedesktop.Secret.Error.NoSuchObject" => KeystoreError::NoKeyring,
        "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner"
        | "org.freedesktop.DBus.Error.NoReply"
        | "org.freedesktop.DBus.Error.Disconnected" => KeystoreError::NoKeyringService,
        name if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => {
            KeystoreError::NoKeyringService
        }
        name => {
            tracing::warn!(name, "the keyring refused");
            unavailable("the keyring refused")
        }
    }
}

fn unavailable(what: &'static str) -> KeystoreError {
    KeystoreError::Unavailable(io::Error::other(what))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_bus_that_says_nothing_is_given_up() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("bus");
        // It accepts, and never answers.
        let _bus = UnixListener::bind(&path).unwrap();
        let address = format!("unix:path={}", path.display());
        let keyring = Keyring {
            bus: Some(&address),
            patience: Duration::from_millis(20),
        };
        let id = SecretId::from_bytes([7; SecretId::LEN]);
        let answers = [keyring.load(&id).map(drop), keyring.remove(&id)];
        for answer in answers {
            assert!(matches!(answer, Err(KeystoreError::TimedOut)), "{answer:?}");
        }
    }
}
