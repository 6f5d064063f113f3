//! An enrollment before the relay has answered: keys and request are durable, so that a crash burns no code.

use std::path::Path;

use connect_core::secret::DatabaseKey;
use connect_proto::bundle::{self, Bundle};
use connect_proto::ids::InstallationId;
use connect_proto::sign::SignSecretKey;
use connect_proto::{codec, wire};
use connect_store::database::Store;
use connect_store::enrollment;
use connect_vault::keys::Keys;
use connect_vault::vault::Vault;

use super::Request;
use crate::error::Error;
use crate::opening::{from_vault, open_vault};
use crate::recover;
use crate::session::{DATABASE, Session};

/// Keys and a database that the relay may not know yet.
pub(crate) struct Draft {
    pub(crate) keys: Keys,
    pub(crate) store: Store,
    pub(crate) request: wire::EnrollRequest,
    /// The key before, where it is still there: it vouches for the new one (D10).
    pub(crate) previous: Option<SignSecretKey>,
}

/// An enrollment of the same user that was cut off goes on with the keys that were made. The relay may know them: where
/// they cannot be opened they stay, unless the caller says that an installation of the user may be replaced.
pub(crate) async fn resume(
    session: &Session,
    request: &Request,
    dir: &Path,
) -> Result<Option<Draft>, Error> {
    let vault = session.vault(dir);
    if !vault.exists() {
        return Ok(None);
    }
    let keys = match open_vault(vault, request.pin.clone()).await {
        Ok(keys) => keys,
        Err(error) if request.replace_existing_installation && is_lasting(error) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if keys.owner != request.user_id {
        return Ok(None);
    }
    // Whoever asks again may show another one than the first time.
    if let Some(key) = request.recovery_key() {
        let vault = session.vault(dir);
        recover::set(vault, request.pin.clone(), key, session.chance.clone()).await?;
    }
    let path = dir.join(DATABASE);
    let is_there = path
        .try_exists()
        .map_err(|error| Error::of_files(&error, "state directory"))?;
    // Sealed keys without a database, or without a request in it, were never shown to the relay.
    if !is_there {
        return Ok(None);
    }
    let store = Store::open(&path, DatabaseKey::from_bytes(keys.database_key.expose())).await?;
    let Some(pending) = enrollment::find_pending(&store).await? else {
        store.close().await;
        return Ok(None);
    };
    let mut made: wire::EnrollRequest =
        codec::decode(&pending).map_err(|_| Error::StorageFailed("pending enrollment"))?;
    made.enrollment_code = request.code.to_string();
    made.replace_existing_installation = request.replace_existing_installation;
    Ok(Some(Draft {
        keys,
        store,
        request: made,
        previous: None,
    }))
}

/// Trying again would come to the same.
fn is_lasting(error: Error) -> bool {
    matches!(error, Error::WrongPin { .. } | Error::StorageFailed(_))
}

pub(crate) async fn begin(
    session: &Session,
    request: &Request,
    dir: &Path,
) -> Result<Draft, Error> {
    discard(session, dir).await?;
    create_private_dir(dir)?;
    let mut rng = session.chance.clone();
    let keys = Keys::generate(request.user_id.clone(), &mut rng);
    let keys = seal_keys(session.vault(dir), keys, request, rng.clone()).await?;
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
        profile: Some(request.profile()),
        bundle: Some(bundle::sign(&bundle, &keys.sign_key, None)),
        replace_existing_installation: request.replace_existing_installation,
    };
    let draft = Draft {
        keys,
        store,
        request: made,
        previous: None,
    };
    keep(&draft.store, &draft.request).await?;
    Ok(draft)
}

/// Writes the request down, without the code, before it is made.
pub(crate) async fn keep(store: &Store, request: &wire::EnrollRequest) -> Result<(), Error> {
    let kept = wire::EnrollRequest {
        enrollment_code: String::new(),
        ..request.clone()
    };
    let mut tx = store.begin().await?;
    enrollment::put_pending(&mut tx, &codec::encode(&kept)).await?;
    Ok(tx.commit().await?)
}

pub(crate) async fn seal_keys(
    vault: Vault,
    keys: Keys,
    request: &Request,
    mut rng: crate::chance::Chance,
) -> Result<Keys, Error> {
    let (pin, recovery) = (request.pin.clone(), request.recovery_key());
    let sealed = tokio::task::spawn_blocking(move || {
        vault
            .create(&keys, &pin, recovery.as_ref(), &mut rng)
            .map(|()| keys)
            .map_err(|error| from_vault(error, "pin"))
    });
    sealed
        .await
        .map_err(|_| Error::Internal("sealing ended early"))?
}

pub(crate) fn chain_on(
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
    bundle.revision = before.revision.checked_add(1).ok_or(Error::RelayRefused)?;
    bundle.previous_digest = Some(bundle::digest(last));
    let previous = draft.previous.as_ref();
    let previous = previous.filter(|key| key.public_key() == before.sign_key);
    Ok(bundle::sign(&bundle, &draft.keys.sign_key, previous))
}

fn create_private_dir(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| Error::of_files(&error, "state directory"))
}

/// Removes what an enrollment left behind.
pub(crate) async fn discard(session: &Session, dir: &Path) -> Result<(), Error> {
    let vault = session.vault(dir);
    let dir = dir.to_owned();
    let removed = tokio::task::spawn_blocking(move || {
        vault.remove().map_err(|error| from_vault(error, "pin"))?;
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::of_files(&error, "state directory"))
            }
            _ => Ok(()),
        }
    });
    removed
        .await
        .map_err(|_| Error::Internal("removal ended early"))?
}
