//! Who calls (§8.3, D8): the cheap checks first, the body last.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::request::{Claim, RequestRefused, Verified};
use connect_proto::routes;
use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use super::body::{Held, Reading};
use super::transfers::Transfer;
use super::{App, body};
use crate::refusal::Refusal;
use crate::store::UserNumber;
use crate::store::keys::Known;
use crate::store::news::signed_update;
use crate::store::nonces::Nonce;

/// The user whose signature verified. The nonce is spent with the change that the request makes.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) user_id: UserId,
    pub(super) number: UserNumber,
    pub(super) key: SignPublicKey,
    /// The key is this user's and not active any more.
    pub(super) is_former: bool,
    pub(super) nonce: Nonce,
    pub(super) body_sha256: Digest,
    /// The room of the body, and of what is made of it.
    _held: Held,
}

impl Caller {
    /// What to say once the key turned out not to be active any more.
    pub(super) async fn ended(&self, app: &App) -> Refusal {
        ended(app, &self.user_id, &self.key).await
    }
}

/// Whose key it is that signed, and whether it still serves.
struct Signer {
    number: UserNumber,
    key: SignPublicKey,
    is_former: bool,
}

/// Authenticates a request by its headers, and only then reads its body.
///
/// The nonce comes after the body's digest here, not before as in `relay.md`: it is spent in the transaction of the
/// request's effect, and whoever sends a captured header with another body must not be able to spend it.
///
/// Whose key is not active any more is told what became of it, by a statement that the relay signs.
pub(super) async fn authenticate(
    app: &App,
    request: Request,
    max_bytes: usize,
) -> Result<(Caller, Bytes), Refusal> {
    let arrived = arrive_active(app, request).await?;
    arrived.read(Reading::call(app, max_bytes)).await
}

/// As `authenticate`, for a body that is a chunk: it has room, places and time of its own.
pub(super) async fn authenticate_chunk(
    app: &App,
    request: Request,
) -> Result<(Caller, Transfer, Bytes), Refusal> {
    let arrived = arrive_active(app, request).await?;
    let transfer = app.transfers.admit(arrived.signer.number)?;
    match arrived.read(Reading::chunk(app)).await {
        Ok((caller, body)) => Ok((caller, transfer, body)),
        Err(Refusal::TooLarge) => Err(Refusal::WrongLength),
        Err(refused) => Err(refused),
    }
}

/// As `authenticate`, for what may be asked again with a key that is not active any more.
pub(super) async fn authenticate_even_former(
    app: &App,
    request: Request,
    max_bytes: usize,
) -> Result<(Caller, Bytes), Refusal> {
    let arrived = arrive(app, request).await?;
    arrived.read(Reading::call(app, max_bytes)).await
}

/// A request whose headers are good, and whose body is still to come.
struct Arrived {
    user_id: UserId,
    signer: Signer,
    verified: Verified,
    headers: HeaderMap,
    body: Body,
    now_ms: u64,
}

async fn arrive_active(app: &App, request: Request) -> Result<Arrived, Refusal> {
    let arrived = arrive(app, request).await?;
    if arrived.signer.is_former {
        return Err(ended(app, &arrived.user_id, &arrived.signer.key).await);
    }
    Ok(arrived)
}

async fn arrive(app: &App, request: Request) -> Result<Arrived, Refusal> {
    let now_ms = app.clock.now_ms();
    let (parts, body) = request.into_parts();
    let (user_id, claim) = claim(&parts.headers, now_ms)?;
    app.throttle.admit_request(&user_id)?;
    let known = app.store.find_caller(&user_id).await?;
    let (signer, verified) = identify(app, &parts, &claim, known)?;
    Ok(Arrived {
        user_id,
        signer,
        verified,
        headers: parts.headers,
        body,
        now_ms,
    })
}

impl Arrived {
    async fn read(self, reading: Reading<'_>) -> Result<(Caller, Bytes), Refusal> {
        let (body, held) = body::read(reading, &self.headers, self.body).await?;
        let body_sha256 = self.verified.check_body(&body)?;
        let Signer {
            number,
            key,
            is_former,
        } = self.signer;
        let caller = Caller {
            user_id: self.user_id,
            number,
            key,
            is_former,
            nonce: Nonce::new(number, self.verified.nonce, self.now_ms),
            body_sha256,
            _held: held,
        };
        Ok((caller, body))
    }
}

/// Where the active key does not verify, a former one may. Someone unknown costs as many verifications, by a key that
/// verifies for nobody: how long a refusal takes does not tell who is enrolled.
fn identify(
    app: &App,
    parts: &Parts,
    claim: &Claim,
    known: Option<Known>,
) -> Result<(Signer, Verified), Refusal> {
    let active = known.and_then(|known| known.active);
    let former = known.map(|known| known.former).unwrap_or_default();
    let nobody = app.secret.operations.public_key();
    for (key, is_former) in [(active, false)]
        .into_iter()
        .chain(former.map(|key| (key, true)))
    {
        match verify(app, parts, claim, &key.unwrap_or(nobody)) {
            Err(RequestRefused::BadSignature) => {}
            Err(refused) => return Err(refused.into()),
            Ok(verified) => {
                let (number, key) = known
                    .map(|known| known.number)
                    .zip(key)
                    .ok_or(Refusal::Unauthenticated)?;
                let signer = Signer {
                    number,
                    key,
                    is_former,
                };
                return Ok((signer, verified));
            }
        }
    }
    Err(Refusal::Unauthenticated)
}

/// The signed statement of what became of a key; it says nothing that the others were not told.
pub(super) async fn ended(app: &App, user_id: &UserId, key: &SignPublicKey) -> Refusal {
    match app.store.find_ended(user_id, key).await {
        Ok(Some(ended)) => {
            Refusal::KeyEnded(Box::new(signed_update(&app.secret, &ended.statement)))
        }
        Ok(None) => Refusal::Unauthenticated,
        Err(error) => error.into(),
    }
}

/// What the headers claim: length, form, user and window.
pub(super) fn claim(headers: &HeaderMap, now_ms: u64) -> Result<(UserId, Claim), Refusal> {
    let value = headers
        .get(routes::HEADER_SIGNATURE)
        .ok_or(Refusal::Unauthenticated)?;
    if value.len() > routes::MAX_SIGNATURE_HEADER {
        return Err(Refusal::HeaderTooLong);
    }
    let value = value.to_str().map_err(|_| Refusal::Unauthenticated)?;
    let user_id = headers
        .get(routes::HEADER_USER)
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let user_id = user_id.ok_or(Refusal::Unauthenticated)?;
    let claim = Claim::parse(value, &user_id, now_ms)?;
    Ok((user_id, claim))
}

/// The signature, and that it was made for this very call.
pub(super) fn verify(
    app: &App,
    parts: &Parts,
    claim: &Claim,
    key: &SignPublicKey,
) -> Result<Verified, RequestRefused> {
    let authority = authority(app, parts);
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let verified = claim.verify(
        parts.method.as_str(),
        authority.unwrap_or_default(),
        path,
        key,
    )?;
    authority.map(|_| verified).ok_or(RequestRefused::OtherCall)
}

/// The authority that the client connected to: HTTP/2 has it in the URI, HTTP/1.1 in a header.
fn authority<'a>(app: &'a App, parts: &Parts) -> Option<&'a str> {
    let named = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(HOST)?.to_str().ok()?,
    };
    app.authorities.admit(named)
}

impl From<RequestRefused> for Refusal {
    fn from(refused: RequestRefused) -> Self {
        match refused {
            RequestRefused::TooLong => Self::HeaderTooLong,
            RequestRefused::Malformed
            | RequestRefused::OtherUser
            | RequestRefused::OutsideWindow
            | RequestRefused::BadSignature
            | RequestRefused::OtherCall
            | RequestRefused::OtherBody => Self::Unauthenticated,
        }
    }
}
