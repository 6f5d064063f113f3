//! An enrollment before the relay has answered: keys and request are durable, so that a crash burns no code.

use std::path::Path;

use connect_core::secret::DatabaseKey;
use connect_proto::bundle::{self, Bundle};
use connect_proto::ids::InstallationId;
use connect_proto::{codec, wire};
use connect_store::database::Store;
use connect_store::enrollment;
use connect_vault::keys::Keys;
use connect_vault::vault::{PinRefused, Vault, VaultError};
use zeroize::Zeroizing;

use super::Request;
use crate::error::{Error, Reason};
use crate::session::{DATABASE, Session, open_vault};

/// Keys and a database that the relay may not know yet.
pub(super) struct Draft {
    pub(super) keys: Keys,
    pub(super) store: Store,
    pub(super) request: wire::EnrollRequest,
}

/// An enrollment of the same user that was cut off goes on with the keys that were made.
pub(super) async fn resume(session: &Session, request: &Request, dir: &Path) -> Option<Draft> {
    let vault = session.vault(dir);
    if !vault.exists() {
        return None;
    }
    let keys = open_vault(vault, request.pin.clone()).await.ok()?;
    if keys.owner != request.user_id {
        return None;
    }
    let key = DatabaseKey::from_bytes(keys.database_key.expose());
    let store = Store::open(&dir.join(DATABASE), key).await.ok()?;
    let pending = enrollment::find_pending(&store).await.ok()??;
    let mut request_made: wire::EnrollRequest = codec::decode(&pending).ok()?;
    request_made.enrollment_code = request.code.to_string();
    request_made.replace_existing_installation = request.replace_existing_installation;
    Some(Draft {
        keys,
        store,
        request: request_made,
    })
}

pub(super) async fn begin(
    session: &Session,
    request: &Request,
    dir: &Path,
) -> Result<Draft, Error> {
    discard(session, dir).await?;
    create_private_dir(dir)?;
    let mut rng = session.chance.clone();
    let keys = Keys::generate(request.user_id.clone(), &mut rng);
    let keys = seal_keys(session.vault(dir), keys, request.pin.clone(), rng.clone()).await?;
    let key = DatabaseKey::from_bytes(keys.database_key.expose());
    let store = Store::create(&dir.join(DATABASE), key).await?;
    let bundle = Bundle {
        user_id: request.user_id.clone(),
        installation_id: InstallationId::random(&mut rng),
        box_key: keys.box_key.public_key(),
        sign_key: keys.sign_key.public_key(),
        created_ms: session.clock.now_ms(),
        revision: 1,
        previous_digest: None,
    };
    let made = wire::EnrollRequest {
        enrollment_code: request.code.to_string(),
        profile: Some(wire::Profile {
            display_name: request.display_name.clone(),
            profession: request.profession.clone(),
            organisation: request.organisation.clone(),
        }),
        bundle: Some(bundle::sign(&bundle, &keys.sign_key, None)),
        replace_existing_installation: request.replace_existing_installation,
    };
    let draft = Draft {
        keys,
        store,
        request: made,
    };
    keep(&draft).await?;
    Ok(draft)
}

/// Writes the request down, without the code, before it is made.
pub(super) async fn keep(draft: &Draft) -> Result<(), Error> {
    let kept = wire::EnrollRequest {
        enrollment_code: String::new(),
        ..draft.request.clone()
    };
    let mut tx = draft.store.begin().await?;
    enrollment::put_pending(&mut tx, &codec::encode(&kept)).await?;
    Ok(tx.commit().await?)
}

async fn seal_keys(
    vault: Vault,
    keys: Keys,
    pin: Zeroizing<String>,
    mut rng: crate::chance::Chance,
) -> Result<Keys, Error> {
    let sealed = tokio::task::spawn_blocking(move || {
        vault
            .create(&keys, &pin, &mut rng)
            .map(|()| keys)
            .map_err(from_vault)
    });
    sealed
        .await
        .map_err(|_| Error::Internal("sealing ended early"))?
}

fn from_vault(error: VaultError) -> Error {
    match error {
        VaultError::Pin(refused) => refused_pin(refused),
        VaultError::Keystore => Error::KeystoreUnavailable,
        VaultError::Exists | VaultError::Damaged | VaultError::Storage => {
            Error::StorageFailed("key files")
        }
    }
}

pub(super) fn chain_on(
    draft: &Draft,
    entry: &wire::DirectoryEntry,
) -> Result<wire::SignedKeyBundle, Error> {
    let last = entry
        .keys
        .first()
        .and_then(|key| key.bundle.as_ref())
        .ok_or(Error::RelayRefused)?;
    let before = bundle::open(last).map_err(|_| Error::RelayRefused)?;
    let mine = draft.request.bundle.as_ref().ok_or(Error::RelayRefused)?;
    let mut bundle = bundle::open(mine).map_err(|_| Error::Internal("own bundle"))?;
    if before.user_id != bundle.user_id {
        return Err(Error::RelayRefused);
    }
    bundle.revision = before.revision + 1;
    bundle.previous_digest = Some(bundle::digest(last));
    Ok(bundle::sign(&bundle, &draft.keys.sign_key, None))
}

fn create_private_dir(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|_| Error::StorageFailed("state directory"))
}

pub(super) fn refused_pin(refused: PinRefused) -> Error {
    let reason = match refused {
        PinRefused::TooShort => Reason::TooShort,
        PinRefused::TooLong => Reason::TooLong,
        PinRefused::TooWeak => Reason::TooWeak,
    };
    Error::invalid("pin", reason)
}

/// Removes what an enrollment left behind.
pub(super) async fn discard(session: &Session, dir: &Path) -> Result<(), Error> {
    let vault = session.vault(dir);
    let dir = dir.to_owned();
    let removed = tokio::task::spawn_blocking(move || {
        vault
            .remove()
            .map_err(|_| Error::StorageFailed("key files"))?;
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::StorageFailed("state directory"))
            }
            _ => Ok(()),
        }
    });
    removed
        .await
        .map_err(|_| Error::Internal("removal ended early"))?
}
