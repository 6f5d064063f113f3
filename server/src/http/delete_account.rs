//! `POST /api/v1/account/delete`: the caller's key is revoked, its mailbox emptied, its profile gone.

use std::sync::Arc;

use axum::extract::{Request, State};
use connect_proto::routes;
use http::StatusCode;

use super::App;
use super::authenticate::authenticate;
use crate::refusal::{Refusal, Wrong};
use crate::store::deletion::DeleteAccount;

/// Asked again, it is answered as every call of a deleted user: by the statement that its key was revoked.
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let (caller, body) = authenticate(&app, request, routes::MAX_CALL_BYTES).await?;
    if !body.is_empty() {
        return Err(Wrong::Malformed.into());
    }
    let delete = DeleteAccount {
        user_id: caller.user_id.clone(),
        by: caller.key,
        news: app.news(),
    };
    if app.store.change(Some(caller.nonce), delete).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(caller.ended(&app).await)
    }
}
