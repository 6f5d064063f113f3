//! `POST /api/v1/contacts/search`: a few people by name, profession, organisation or user id (§10.4).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use connect_proto::{codec, routes, wire};

use super::authenticate::authenticate;
use super::{App, protobuf};
use crate::check;
use crate::refusal::{Refusal, Wrong};
use crate::store::writer::Nothing;
use crate::store::{directory, search};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (caller, body) = authenticate(&app, request, routes::MAX_CALL_BYTES).await?;
    let request: wire::SearchRequest = codec::decode(&body).map_err(|_| Wrong::Malformed)?;
    let wanted = check::search::check(&request, app.limits.search_letters)?;
    // By whom is known by now: nobody can use up another's searches.
    app.throttle.admit_search(&caller.user_id)?;
    app.store.change(Some(caller.nonce), Nothing).await?;
    let readers = app.store.readers();
    let exactly = wanted.user_id.as_ref();
    let found = search::find(readers, &wanted.words, exactly, wanted.limit).await?;
    let entries = directory::entries(readers, &found).await?;
    Ok(protobuf(codec::encode(&wire::DirectoryEntries { entries })))
}
