//! Who calls (§8.3, D8): the cheap checks first, the body last.

use axum::extract::Request;
use bytes::Bytes;
use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::request::{Claim, RequestRefused, Verified};
use connect_proto::routes;
use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use super::body::Held;
use super::{App, body};
use crate::refusal::Refusal;
use crate::store::UserNumber;
use crate::store::nonces::Nonce;

/// The user whose signature verified. The nonce is spent with the change that the request makes.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) user_id: UserId,
    pub(super) number: UserNumber,
    pub(super) nonce: Nonce,
    /// The room of the body, and of what is made of it.
    _held: Held,
}

/// Authenticates a request by its headers, and only then reads its body.
///
/// The nonce comes after the body's digest here, not before as in `relay.md`: it is spent in the transaction of the
/// request's effect, and whoever sends a captured header with another body must not be able to spend it.
pub(super) async fn authenticate(
    app: &App,
    request: Request,
    max_bytes: usize,
) -> Result<(Caller, Bytes), Refusal> {
    let now_ms = app.clock.now_ms();
    let (parts, body) = request.into_parts();
    let (user_id, claim) = claim(&parts.headers, now_ms)?;
    app.throttle.admit_request(&user_id)?;
    let known = app.store.find_caller(&user_id).await?;
    // Someone unknown costs a verification too, and no key verifies for them.
    let key = known.map_or_else(|| app.secret.operations.public_key(), |(_, key)| key);
    let verified = verify(app, &parts, claim, &key)?;
    let (number, _) = known.ok_or(Refusal::Unauthenticated)?;
    let (body, held) = body::read(app, &parts.headers, body, max_bytes).await?;
    verified.check_body(&body)?;
    Ok((
        Caller {
            user_id,
            number,
            nonce: Nonce::new(number, verified.nonce, now_ms),
            _held: held,
        },
        body,
    ))
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
    claim: Claim,
    key: &SignPublicKey,
) -> Result<Verified, Refusal> {
    let authority = authority(app, parts);
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let verified = claim.verify(
        parts.method.as_str(),
        authority.unwrap_or_default(),
        path,
        key,
    )?;
    authority.map(|_| verified).ok_or(Refusal::Unauthenticated)
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
