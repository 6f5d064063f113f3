//! `GET /api/v1/attachments/{id}/{index}`: the raw bytes, for the owner and the readers that it named.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use connect_proto::routes;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::authenticate::authenticate;
use super::transfers::Outflow;
use super::{App, attachment_paths};
use crate::refusal::{Refusal, Wrong};
use crate::store::chunks;
use crate::store::writer::Nothing;

/// Unknown, not named, not there yet, deleted and expired are one answer.
pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let named = attachment_paths::chunk(request.uri().path());
    let (caller, body) = authenticate(&app, request, routes::MAX_CALL_BYTES).await?;
    if !body.is_empty() {
        return Err(Wrong::Malformed.into());
    }
    let transfer = app.transfers.admit(caller.number)?;
    app.store.change(Some(caller.nonce), Nothing).await?;
    let (id, index) = named.ok_or(Refusal::NotFound)?;
    let found = chunks::find(app.store.readers(), caller.number, id, index).await?;
    let (name, size) = found.ok_or(Refusal::NotFound)?;
    let room = app.transfers.room.hold(size)?;
    let chunk = app.chunks.read(name).await?.ok_or(Refusal::NotFound)?;
    if chunk.len() != size {
        // As good as lost: to ask again does not help, to put it again does.
        app.chunks.note_missing();
        return Err(Refusal::NotFound);
    }
    let outflow = Outflow::new(chunk, room, transfer, app.transfers.within);
    let kind = HeaderValue::from_static(routes::CHUNK_CONTENT_TYPE);
    Ok(([(CONTENT_TYPE, kind)], Body::new(outflow)).into_response())
}
