//! `POST /api/v1/keys`: the caller's new keys, countersigned by the old ones (D10).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use connect_proto::{bundle, codec, routes, wire};

use super::authenticate::{Caller, authenticate_even_former};
use super::{App, protobuf};
use crate::refusal::{Refusal, Wrong};
use crate::store::rotation::{Rotate, Rotation};

/// A former key may ask once more for what it asked for when it was active.
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (caller, body) = authenticate_even_former(&app, request, routes::MAX_CALL_BYTES).await?;
    let rotated = rotate(&app, &caller, &body).await;
    match rotated {
        // Whatever else is wrong: it is no longer this key's affair.
        Err(_) if caller.is_former => Err(caller.ended(&app).await),
        answer => answer,
    }
}

async fn rotate(app: &App, caller: &Caller, body: &[u8]) -> Result<Response, Refusal> {
    let signed: wire::SignedKeyBundle = codec::decode(body).map_err(|_| Wrong::Malformed)?;
    let bundle = bundle::open(&signed).map_err(|_| Wrong::Bundle)?;
    if bundle.user_id != caller.user_id {
        return Err(Wrong::Bundle.into());
    }
    // What was lost may be asked for as often as it takes.
    let is_repeat = caller.is_former || caller.key == bundle.sign_key;
    if !is_repeat {
        app.throttle.admit_rotation(&caller.user_id)?;
    }
    let rotate = Rotate {
        bundle,
        signed,
        by: caller.key,
        news: app.news(),
    };
    match app.store.change(Some(caller.nonce), rotate).await? {
        Rotation::Rotated(entry) => Ok(protobuf(codec::encode(&entry))),
        Rotation::WrongChain(entry) => Err(Refusal::WrongChain(codec::encode(&entry))),
        Rotation::WrongPreviousSignature => Err(Refusal::Countersignature),
        Rotation::OtherInstallation => Err(Refusal::OtherInstallation),
        Rotation::KeyUsedBefore => Err(Refusal::KeyUsedBefore),
        Rotation::FormerKey => Err(caller.ended(app).await),
    }
}
