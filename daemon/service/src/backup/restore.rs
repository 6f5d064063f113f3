//! Makes a new installation out of a backup: its history, under new keys, known to the relay by an operator's code.
//!
//! Whoever has a backup and its recovery key reads the history, but is nobody at the relay: that takes the code (D28).

use connect_core::secret::{BoxSecretKey, DatabaseKey, LocalFileKey, MasterKey};
use connect_proto::bundle::{self, Bundle};
use connect_proto::enrollment::EnrollmentCode;
use connect_proto::ids::InstallationId;
use connect_proto::sign::SignSecretKey;
use connect_proto::wire;
use connect_store::account::Account;
use connect_store::audit::Verdict;
use connect_store::database::Store;
use connect_store::restored;
use connect_vault::keys::Keys;
use connect_vault::recovery::RecoveryKey;
use zeroize::Zeroizing;

use super::format::Manifest;
use super::receive::{Found, Incoming, Staged};
use crate::enroll::draft::{Draft, discard, keep, resume, seal_keys};
use crate::enroll::{self, Request, rename, sync};
use crate::error::{Error, Reason};
use crate::opening::refused_pin;
use crate::session::{DATABASE, Phase, Session};

/// What it takes beside the backup.
pub struct Wanted {
    pub code: Zeroizing<String>,
    pub pin: Zeroizing<String>,
    pub recovery_key: Zeroizing<[u8; RecoveryKey::LEN]>,
    /// Where the relay is now; as it was, where left out.
    pub relay_url: Option<String>,
    pub relay_pins: Option<Vec<String>>,
    pub relay_ca_pem: Option<String>,
}

impl Wanted {
    pub fn recovery_key(&self) -> RecoveryKey {
        RecoveryKey::from_bytes(&self.recovery_key)
    }

    fn request(&self, account: &Account) -> Request {
        let moved = self.relay_url.is_some();
        Request {
            relay_url: self
                .relay_url
                .as_ref()
                .unwrap_or(&account.relay_url)
                .clone(),
            relay_pins: self
                .relay_pins
                .as_ref()
                .unwrap_or(&account.relay_pins)
                .clone(),
            relay_ca_pem: match &self.relay_ca_pem {
                None if !moved => account.relay_ca_pem.clone(),
                told => told.clone(),
            },
            code: self.code.clone(),
            user_id: account.user_id.clone(),
            display_name: account.display_name.clone(),
            profession: account.profession.clone(),
            organisation: account.organisation.clone(),
            pin: self.pin.clone(),
            recovery_key: Some(self.recovery_key.clone()),
            replace_existing_installation: true,
        }
    }
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted(..)")
    }
}

#[derive(Debug)]
pub struct Restored {
    pub manifest: Manifest,
    pub audit: Verdict,
}

/// What can be said before a byte has come.
pub fn check(session: &Session, wanted: &Wanted) -> Result<(), Error> {
    if !matches!(session.phase(), Phase::Unenrolled) {
        return Err(Error::invalid("account", Reason::AlreadyEnrolled));
    }
    session
        .vault(&session.enrolling_dir())
        .check_new_pin(&wanted.pin)
        .map_err(|refused| refused_pin(refused, "pin"))
}

/// The account is there once this returns, and the session is open. Cut off, it is run again with the same backup.
pub async fn restore(
    session: &Session,
    incoming: Incoming,
    wanted: &Wanted,
) -> Result<Restored, Error> {
    let staged = incoming.finish().await?;
    let _turn = session.changing.lock().await;
    check(session, wanted)?;
    let (store, found) = staged.open().await?;
    let request = wanted.request(&found.account);
    let prepared = prepare(session, &staged, &store, &found, &request).await;
    store.close().await;
    let (address, keys, made) = prepared?;

    let Staged {
        keys: old,
        manifest,
        scratch,
        ..
    } = staged;
    let dir = session.enrolling_dir();
    discard(session, &dir).await?;
    sync(scratch.path())?;
    rename(scratch.path(), &dir)?;
    scratch.keep();
    sync(session.state_dir())?;
    let key = DatabaseKey::from_bytes(keys.database_key.expose());
    let draft = Draft {
        keys,
        store: Store::open(&dir.join(DATABASE), key).await?,
        request: made,
        previous: Some(old.sign_key),
    };
    enroll::complete(session, &address, draft, &request).await?;
    Ok(Restored {
        manifest,
        audit: found.audit,
    })
}

type Prepared = (
    connect_uplink::address::RelayAddress,
    Keys,
    wire::EnrollRequest,
);

/// Everything that can be done in the scratch place: afterwards it is an enrollment that was not shown to the relay yet.
async fn prepare(
    session: &Session,
    staged: &Staged,
    store: &Store,
    found: &Found,
    request: &Request,
) -> Result<Prepared, Error> {
    let issued_for = request.code.parse::<EnrollmentCode>();
    if issued_for.is_ok_and(|code| *code.user_id() != request.user_id) {
        return Err(Error::invalid("enrollment_code", Reason::Mismatch));
    }
    let address = enroll::check(session, request)?;
    let (keys, made) = keys_and_request(session, staged, found, request).await?;
    let mut tx = store.begin().await?;
    restored::take_over(&mut tx, session.clock.now_ms()).await?;
    tx.commit().await?;
    keep(store, &made).await?;
    // Under the new PIN, in the keystore of this machine, and under the same recovery key.
    let vault = session.vault(staged.scratch.path());
    let keys = seal_keys(vault, keys, request, session.chance.clone()).await?;
    Ok((address, keys, made))
}

/// New ones, unless this was tried before: then the relay may know those already.
async fn keys_and_request(
    session: &Session,
    staged: &Staged,
    found: &Found,
    request: &Request,
) -> Result<(Keys, wire::EnrollRequest), Error> {
    let kept = &staged.keys;
    let mut keys = Keys {
        owner: kept.owner.clone(),
        master: MasterKey::generate(&mut session.chance.clone()),
        box_key: BoxSecretKey::generate(&mut session.chance.clone()),
        sign_key: SignSecretKey::generate(&mut session.chance.clone()),
        database_key: DatabaseKey::from_bytes(kept.database_key.expose()),
        local_file_key: LocalFileKey::from_bytes(kept.local_file_key.expose()),
        retired: Vec::new(),
        next: None,
    };
    if let Some(before) = resume(session, request, &session.enrolling_dir()).await? {
        before.store.close().await;
        keys.box_key = before.keys.box_key;
        keys.sign_key = before.keys.sign_key;
        return Ok((keys, before.request));
    }
    let bundle = Bundle {
        user_id: keys.owner.clone(),
        installation_id: InstallationId::random(&mut session.chance.clone()),
        box_key: keys.box_key.public_key(),
        sign_key: keys.sign_key.public_key(),
        created_ms: session.clock.now_ms(),
        revision: 1,
        previous_digest: None,
    };
    let made = wire::EnrollRequest {
        enrollment_code: request.code.to_string(),
        profile: Some(wire::Profile {
            display_name: found.account.display_name.clone(),
            profession: found.account.profession.clone(),
            organisation: found.account.organisation.clone(),
        }),
        bundle: Some(bundle::sign(&bundle, &keys.sign_key, None)),
        replace_existing_installation: true,
    };
    Ok((keys, made))
}
