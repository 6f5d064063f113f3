//! Enrollment (D28): keys are durable here before the relay knows of them, and an account appears in one rename.

use std::path::Path;

use connect_core::secret::DatabaseKey;
use connect_proto::bundle::{self, Bundle};
use connect_proto::ids::{InstallationId, UserId};
use connect_proto::keys::SignPublicKey;
use connect_proto::{codec, routes, wire};
use connect_store::account::{self, Account};
use connect_store::database::Store;
use connect_store::enrollment;
use connect_uplink::address::{AddressRefused, RelayAddress};
use connect_uplink::uplink::{Credentials, EnrollOutcome, Uplink};
use connect_vault::keys::Keys;
use connect_vault::vault::{PinRefused, Vault, VaultError};
use zeroize::Zeroizing;

use crate::error::{Error, Reason};
use crate::session::{DATABASE, Phase, Session, open_vault};

/// What it takes to enroll.
pub struct Request {
    pub relay_url: String,
    pub relay_pins: Vec<String>,
    pub relay_ca_pem: Option<String>,
    /// As the operator handed it out.
    pub code: Zeroizing<String>,
    /// Whom the code was issued for.
    pub user_id: UserId,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    pub pin: Zeroizing<String>,
    pub replace_existing_installation: bool,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request(..)")
    }
}

/// Keys and a database that the relay may not know yet.
struct Draft {
    keys: Keys,
    store: Store,
    request: wire::EnrollRequest,
}

/// Makes keys, registers them, and opens the session.
pub async fn enroll(session: &Session, request: Request) -> Result<(), Error> {
    let _turn = session.changing.lock().await;
    if !matches!(session.phase(), Phase::Unenrolled) {
        return Err(Error::invalid("account", Reason::AlreadyEnrolled));
    }
    let address = check(session, &request)?;
    let uplink = Uplink::new(&address)?;
    let dir = session.enrolling_dir();
    let mut draft = match resume(session, &request, &dir).await {
        Some(draft) => draft,
        None => begin(session, &request, &dir).await?,
    };
    let response = match register(session, &uplink, &mut draft, &request).await {
        Ok(response) => response,
        Err(error) => {
            draft.store.close().await;
            // Unless the relay said no, it may have heard: what was made is kept for the next try.
            if is_refusal(error) {
                discard(session, &dir).await?;
            }
            return Err(error);
        }
    };
    finish(session, draft, &request, &response, &dir).await
}

fn is_refusal(error: Error) -> bool {
    matches!(error, Error::Invalid { .. } | Error::PinMismatch)
}

fn check(session: &Session, request: &Request) -> Result<RelayAddress, Error> {
    let fields = [
        ("display_name", &request.display_name),
        ("profession", &request.profession),
        ("organisation", &request.organisation),
    ];
    if request.display_name.trim().is_empty() {
        return Err(Error::invalid("display_name", Reason::Empty));
    }
    for (field, value) in fields {
        if value.len() > routes::MAX_PROFILE_FIELD {
            return Err(Error::invalid(field, Reason::TooLong));
        }
        if value.chars().any(char::is_control) {
            return Err(Error::invalid(field, Reason::Malformed));
        }
    }
    session
        .vault(&session.enrolling_dir())
        .check_new_pin(&request.pin)
        .map_err(refused_pin)?;
    RelayAddress::parse(
        &request.relay_url,
        &request.relay_pins,
        request.relay_ca_pem.as_deref(),
    )
    .map_err(refused_address)
}

fn refused_pin(refused: PinRefused) -> Error {
    let reason = match refused {
        PinRefused::TooShort => Reason::TooShort,
        PinRefused::TooLong => Reason::TooLong,
        PinRefused::TooWeak => Reason::TooWeak,
    };
    Error::invalid("pin", reason)
}

fn refused_address(refused: AddressRefused) -> Error {
    let (field, reason) = match refused {
        AddressRefused::Url => ("relay_url", Reason::Malformed),
        AddressRefused::NotHttps => ("relay_url", Reason::NotSupported),
        AddressRefused::Pin => ("relay_pins", Reason::Malformed),
        AddressRefused::TooFewPins => ("relay_pins", Reason::TooShort),
        AddressRefused::CaPem => ("relay_ca_pem", Reason::Malformed),
    };
    Error::invalid(field, reason)
}

/// An enrollment of the same user that was cut off goes on with the keys that were made.
async fn resume(session: &Session, request: &Request, dir: &Path) -> Option<Draft> {
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

async fn begin(session: &Session, request: &Request, dir: &Path) -> Result<Draft, Error> {
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
async fn keep(draft: &Draft) -> Result<(), Error> {
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

/// Asks the relay; where the user had an installation, once more with a bundle that follows its last one.
async fn register(
    session: &Session,
    uplink: &Uplink,
    draft: &mut Draft,
    request: &Request,
) -> Result<wire::EnrollResponse, Error> {
    for _ in 0..2 {
        let credentials = Credentials {
            user_id: &request.user_id,
            sign_key: &draft.keys.sign_key,
        };
        let now_ms = session.clock.now_ms();
        let mut rng = session.chance.clone();
        match uplink
            .enroll(credentials, now_ms, &mut rng, &draft.request)
            .await?
        {
            EnrollOutcome::Enrolled(response) => return Ok(response),
            EnrollOutcome::CodeRefused => {
                return Err(Error::invalid("enrollment_code", Reason::Expired));
            }
            EnrollOutcome::AlreadyEnrolled => return Err(already_enrolled()),
            EnrollOutcome::ChainOn(_) if !request.replace_existing_installation => {
                return Err(already_enrolled());
            }
            EnrollOutcome::ChainOn(entry) => {
                draft.request.bundle = Some(chain_on(draft, &entry)?);
                keep(draft).await?;
            }
        }
    }
    Err(Error::RelayRefused)
}

fn already_enrolled() -> Error {
    Error::invalid("replace_existing_installation", Reason::AlreadyEnrolled)
}

fn chain_on(draft: &Draft, entry: &wire::DirectoryEntry) -> Result<wire::SignedKeyBundle, Error> {
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

async fn finish(
    session: &Session,
    draft: Draft,
    request: &Request,
    response: &wire::EnrollResponse,
    dir: &Path,
) -> Result<(), Error> {
    let signed = draft
        .request
        .bundle
        .as_ref()
        .ok_or(Error::Internal("own bundle"))?;
    let bundle = bundle::open(signed).map_err(|_| Error::Internal("own bundle"))?;
    let account = Account {
        user_id: bundle.user_id,
        installation_id: bundle.installation_id,
        display_name: request.display_name.clone(),
        profession: request.profession.clone(),
        organisation: request.organisation.clone(),
        attested: response.entry.as_ref().is_some_and(|entry| entry.attested),
        box_key: bundle.box_key,
        sign_key: bundle.sign_key,
        bundle_revision: bundle.revision,
        relay_url: request.relay_url.clone(),
        relay_pins: request.relay_pins.clone(),
        relay_ca_pem: request.relay_ca_pem.clone(),
        operations_key: SignPublicKey::admit(&response.operations_public_key)
            .map_err(|_| Error::RelayRefused)?,
        enrolled_ms: session.clock.now_ms(),
    };
    let mut tx = draft.store.begin().await?;
    account::put(&mut tx, &account).await?;
    tx.commit().await?;
    draft.store.close().await;
    let account_dir = session.account_dir();
    rename_durably(dir, &account_dir, session.state_dir())?;
    // The request stays until the rename is done: a crash before it starts over with the same keys.
    session.enter(draft.keys, &account_dir).await
}

fn create_private_dir(dir: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|_| Error::StorageFailed("state directory"))
}

fn rename_durably(from: &Path, to: &Path, parent: &Path) -> Result<(), Error> {
    let renamed = std::fs::rename(from, to)
        .and_then(|()| std::fs::File::open(parent))
        .and_then(|parent| parent.sync_all());
    renamed.map_err(|_| Error::StorageFailed("state directory"))
}

/// Removes what an enrollment left behind.
async fn discard(session: &Session, dir: &Path) -> Result<(), Error> {
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
