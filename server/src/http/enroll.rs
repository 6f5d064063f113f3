//! `POST /api/v1/enroll`: signed by the new Sign Key, admitted by an operator's code (D28).

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use connect_proto::bundle::{self, Bundle};
use connect_proto::enrollment::EnrollmentCode;
use connect_proto::{codec, routes, wire};

use super::body::Reading;
use super::{App, authenticate, body, protobuf};
use crate::check;
use crate::refusal::{Refusal, Wrong};
use crate::store::enrollment::{Enroll, Enrollment};

/// No nonce is kept: the code is used once, and the same enrollment again changes nothing.
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (request, bundle) = admit(&app, request).await?;
    let profile = check::profile::check(request.profile)?;
    let code: EnrollmentCode = request
        .enrollment_code
        .parse()
        .map_err(|_| Refusal::CodeRefused)?;
    let enroll = Enroll {
        code_hash: code.digest(),
        bundle,
        signed: request.bundle.ok_or(Wrong::Bundle)?,
        profile,
        replace: request.replace_existing_installation,
        news: app.news(),
    };
    match app.store.change(None, enroll).await? {
        Enrollment::Enrolled(entry) => Ok(protobuf(codec::encode(&response(&app, entry)))),
        Enrollment::CodeRefused => Err(Refusal::CodeRefused),
        Enrollment::AlreadyEnrolled => Err(Refusal::AlreadyEnrolled),
        Enrollment::WrongChain(entry) => {
            Err(Refusal::WrongChain(codec::encode(&response(&app, entry))))
        }
        Enrollment::WrongPreviousSignature | Enrollment::KeyUsedBefore => Err(Wrong::Bundle.into()),
    }
}

/// The key that signed the request is in its body, so that the body is read first, within its small limit. The headers of other
/// calls may be left out: the bundle is signed by the new key as well, and the code is good once.
async fn admit(app: &App, request: Request) -> Result<(wire::EnrollRequest, Bundle), Refusal> {
    let (parts, body) = request.into_parts();
    let is_bare = [routes::HEADER_USER, routes::HEADER_SIGNATURE]
        .iter()
        .all(|name| !parts.headers.contains_key(*name));
    if is_bare {
        return admit_bare(app, &parts, body).await;
    }
    let (user_id, claim) = authenticate::claim(&parts.headers, app.clock.now_ms())?;
    app.throttle.admit_enrollment(&user_id)?;
    let (request, bundle, body) = read(app, &parts, body).await?;
    if bundle.user_id != user_id {
        return Err(Refusal::Unauthenticated);
    }
    authenticate::verify(app, &parts, &claim, &bundle.sign_key)?.check_body(&body)?;
    Ok((request, bundle))
}

async fn admit_bare(
    app: &App,
    parts: &Parts,
    body: Body,
) -> Result<(wire::EnrollRequest, Bundle), Refusal> {
    let (request, bundle, _) = read(app, parts, body).await?;
    app.throttle.admit_enrollment(&bundle.user_id)?;
    Ok((request, bundle))
}

async fn read(
    app: &App,
    parts: &Parts,
    unread: Body,
) -> Result<(wire::EnrollRequest, Bundle, Bytes), Refusal> {
    let reading = Reading::call(app, routes::MAX_CALL_BYTES);
    let (body, _held) = body::read(reading, &parts.headers, unread).await?;
    let request: wire::EnrollRequest = codec::decode(&body).map_err(|_| Wrong::Malformed)?;
    let bundle = request.bundle.as_ref().ok_or(Wrong::Bundle)?;
    let bundle = bundle::open(bundle).map_err(|_| Wrong::Bundle)?;
    Ok((request, bundle, body))
}

fn response(app: &App, entry: wire::DirectoryEntry) -> wire::EnrollResponse {
    wire::EnrollResponse {
        entry: Some(entry),
        operations_public_key: app.secret.operations.public_key().to_vec(),
    }
}
