//! `POST /api/v1/contacts/lookup`: the directory entries of those who are known, in the order asked.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use connect_proto::ids::UserId;
use connect_proto::{codec, routes, wire};

use super::authenticate::authenticate;
use super::{App, protobuf};
use crate::refusal::{Refusal, Wrong};
use crate::store::directory;
use crate::store::writer::Nothing;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (caller, body) = authenticate(&app, request, routes::MAX_CALL_BYTES).await?;
    let lookup: wire::LookupRequest = codec::decode(&body).map_err(|_| Wrong::Malformed)?;
    let users = check(&lookup)?;
    app.store.change(Some(caller.nonce), Nothing).await?;
    let entries = directory::entries_even_if_deleted(app.store.readers(), &users).await?;
    Ok(protobuf(codec::encode(&wire::DirectoryEntries { entries })))
}

fn check(lookup: &wire::LookupRequest) -> Result<Vec<UserId>, Wrong> {
    if lookup.user_ids.len() > routes::MAX_LOOKUP {
        return Err(Wrong::TooManyEntries);
    }
    let mut seen = HashSet::new();
    let asked = lookup.user_ids.iter().filter(|id| seen.insert(id.as_str()));
    asked
        .map(|id| id.parse().map_err(|_| Wrong::UserId))
        .collect()
}
