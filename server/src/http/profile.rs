//! `POST /api/v1/profile`: the caller's own profile; what changes is no longer attested (§10.5).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use connect_proto::{codec, routes, wire};

use super::authenticate::authenticate;
use super::{App, protobuf};
use crate::check;
use crate::refusal::{Refusal, Wrong};
use crate::store::profile::ChangeProfile;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (caller, body) = authenticate(&app, request, routes::MAX_CALL_BYTES).await?;
    let profile: wire::Profile = codec::decode(&body).map_err(|_| Wrong::Malformed)?;
    let change = ChangeProfile {
        user: caller.number,
        user_id: caller.user_id.clone(),
        profile: check::profile::check(Some(profile))?,
    };
    match app.store.change(Some(caller.nonce), change).await? {
        Some(entry) => Ok(protobuf(codec::encode(&entry))),
        None => Err(caller.ended(&app).await),
    }
}
