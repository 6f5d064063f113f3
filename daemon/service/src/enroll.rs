//! Enrollment (D28): keys are durable here before the relay knows of them, and an account appears in one rename.

use std::path::Path;

use connect_points::{Point, pass};
use connect_proto::bundle;
use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::{codec, wire};
use connect_store::account::{self, Account};
use connect_store::own_bundles::{self, Stage};
use connect_uplink::address::{AddressRefused, RelayAddress};
use connect_uplink::uplink::{Credentials, EnrollOutcome, Uplink};
use connect_vault::recovery::RecoveryKey;
use zeroize::Zeroizing;

pub(crate) mod draft;

use draft::{Draft, begin, chain_on, discard, keep, resume};

use crate::error::{Error, Reason};
use crate::opening::refused_pin;
use crate::profile;
use crate::session::{Phase, Session};

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
    pub recovery_key: Option<Zeroizing<[u8; RecoveryKey::LEN]>>,
    pub replace_existing_installation: bool,
}

impl Request {
    fn profile(&self) -> wire::Profile {
        wire::Profile {
            display_name: self.display_name.clone(),
            profession: self.profession.clone(),
            organisation: self.organisation.clone(),
        }
    }

    pub(crate) fn recovery_key(&self) -> Option<RecoveryKey> {
        self.recovery_key
            .as_ref()
            .map(|bytes| RecoveryKey::from_bytes(bytes))
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request(..)")
    }
}

/// Makes keys, registers them, and opens the session.
pub async fn enroll(session: &Session, request: Request) -> Result<(), Error> {
    let _turn = session.changing.lock().await;
    if !matches!(session.phase(), Phase::Unenrolled | Phase::Revoked) {
        return Err(Error::invalid("account", Reason::AlreadyEnrolled));
    }
    let address = check(session, &request)?;
    let dir = session.enrolling_dir();
    let draft = match resume(session, &request, &dir).await? {
        Some(draft) => draft,
        None => begin(session, &request, &dir).await?,
    };
    complete(session, &address, draft, &request).await
}

/// Registers what lies in the directory for it, and makes an account of it. The caller holds the session's turn.
pub(crate) async fn complete(
    session: &Session,
    address: &RelayAddress,
    mut draft: Draft,
    request: &Request,
) -> Result<(), Error> {
    let uplink = Uplink::new(address)?;
    let dir = session.enrolling_dir();
    pass(Point::BeforeEnroll)?;
    let response = match register(session, &uplink, &mut draft, request).await {
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
    pass(Point::AfterEnrollBeforeAccount)?;
    finish(session, draft, request, &response, &dir).await
}

fn is_refusal(error: Error) -> bool {
    matches!(error, Error::Invalid { .. })
}

pub(crate) fn check(session: &Session, request: &Request) -> Result<RelayAddress, Error> {
    profile::check(&request.profile())?;
    session
        .vault(&session.enrolling_dir())
        .check_new_pin(&request.pin)
        .map_err(|refused| refused_pin(refused, "pin"))?;
    RelayAddress::parse(
        &request.relay_url,
        &request.relay_pins,
        request.relay_ca_pem.as_deref(),
    )
    .map_err(refused_address)
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
        let asked = uplink.enroll(credentials, now_ms, &mut rng, &draft.request);
        let outcome = tokio::select! {
            outcome = asked => outcome?,
            () = session.ending.cancelled() => return Err(Error::RelayUnreachable),
        };
        match outcome {
            EnrollOutcome::Enrolled(response) => return Ok(response),
            EnrollOutcome::CodeRefused => {
                return Err(Error::invalid("enrollment_code", Reason::Expired));
            }
            EnrollOutcome::AlreadyEnrolled => return Err(already_enrolled()),
            EnrollOutcome::ChainOn(entry)
                if !request.replace_existing_installation && has_installation(&entry) =>
            {
                return Err(already_enrolled());
            }
            EnrollOutcome::ChainOn(entry) => {
                draft.request.bundle = Some(chain_on(draft, &entry)?);
                keep(&draft.store, &draft.request).await?;
            }
        }
    }
    Err(Error::RelayRefused)
}

/// One whose keys were revoked, or who left, has nothing that could be replaced.
fn has_installation(entry: &wire::DirectoryEntry) -> bool {
    let newest = entry.keys.first();
    newest.is_none_or(|key| key.state() == wire::KeyState::KeyActive)
}

fn already_enrolled() -> Error {
    Error::invalid("replace_existing_installation", Reason::AlreadyEnrolled)
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
    own_bundles::put(&mut tx, Stage::Current, &codec::encode(signed)).await?;
    tx.commit().await?;
    draft.store.close().await;
    let account_dir = session.account_dir();
    pass(Point::BeforeAccountRename)?;
    set_aside(session, &account_dir)?;
    rename(dir, &account_dir)?;
    // From here on the account is there, whatever comes in between.
    session.is_now(Phase::Locked);
    sync(session.state_dir())?;
    pass(Point::AfterAccountRename)?;
    // The request stays until the rename is done: a crash before it starts over with the same keys.
    session.enter(draft.keys, &account_dir).await
}

/// What a revoked installation left is kept beside the new account: nobody but the owner may throw it away.
fn set_aside(session: &Session, account_dir: &Path) -> Result<(), Error> {
    if !account_dir.is_dir() {
        return Ok(());
    }
    let free = (1_u32..).map(|number| account_dir.with_extension(format!("revoked-{number}")));
    for place in free {
        if !place
            .try_exists()
            .map_err(|error| Error::of_files(&error, "state directory"))?
        {
            rename(account_dir, &place)?;
            return sync(session.state_dir());
        }
    }
    Ok(())
}

/// Removes an account's directory, its keystore's secret first.
pub(crate) async fn remove_account(session: &Session, dir: &Path) -> Result<(), Error> {
    discard(session, dir).await
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to).map_err(|error| Error::of_files(&error, "state directory"))
}

pub(crate) fn sync(dir: &Path) -> Result<(), Error> {
    let synced = std::fs::File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| Error::of_files(&error, "state directory"))
}
