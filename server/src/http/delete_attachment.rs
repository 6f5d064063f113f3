//! `DELETE /api/v1/attachments/{id}`: its owner takes it back; what is gone, or somebody else's, is as good as deleted.

use std::sync::Arc;

use axum::extract::{Request, State};
use connect_proto::routes;
use http::StatusCode;

use super::authenticate::authenticate;
use super::{App, attachment_paths};
use crate::refusal::{Refusal, Wrong};
use crate::store::withdrawal::Withdraw;

/// 204 once nobody finds it any more; its chunks are removed after that.
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let named = attachment_paths::attachment(request.uri().path());
    let (caller, body) = authenticate(&app, request, routes::MAX_CALL_BYTES).await?;
    if !body.is_empty() {
        return Err(Wrong::Malformed.into());
    }
    let withdraw = Withdraw {
        owner: caller.number,
        id: named.ok_or(Refusal::NotFound)?,
    };
    app.store.change(Some(caller.nonce), withdraw).await?;
    app.removals.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
