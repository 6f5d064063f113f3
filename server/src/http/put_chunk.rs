//! `PUT /api/v1/attachments/{id}/{index}`: bytes durable, then the row that counts them, then 204.

use std::sync::Arc;

use axum::extract::{Request, State};
use bytes::Bytes;
use connect_proto::hash::Digest;
use http::StatusCode;

use super::authenticate::{Caller, authenticate_chunk};
use super::{App, attachment_paths};
use crate::check::attachment::chunk_len;
use crate::chunks::{Name, Token};
use crate::refusal::Refusal;
use crate::store::chunks::{self, PutChunk, Putting, Slot};
use crate::store::nonces::Nonce;
use crate::store::writer::Nothing;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let named = attachment_paths::chunk(request.uri().path());
    let (caller, transfer, body) = authenticate_chunk(&app, request).await?;
    let (id, index) = named.ok_or(Refusal::NotFound)?;
    let slot = chunks::slot(app.store.readers(), caller.number, id, index).await?;
    let slot = slot.ok_or(Refusal::NotFound)?;
    let len = chunk_len(slot.size, slot.chunk_count, index).ok_or(Refusal::NotFound)?;
    if body.len() as u64 != len {
        return Err(Refusal::WrongLength);
    }
    // In a task of its own: what was begun is finished and tidied up, though its sender hangs up.
    let put = tokio::spawn(async move {
        let _transfer = transfer;
        put(&app, caller, &slot, index, body).await
    });
    put.await.unwrap_or(Err(Refusal::BUSY))
}

async fn put(
    app: &App,
    caller: Caller,
    slot: &Slot,
    index: u32,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let digest = caller.body_sha256;
    let instead_of = match slot.chunk {
        Some((there, _)) if there != digest => {
            app.store.change(Some(caller.nonce), Nothing).await?;
            return Err(Refusal::ChunkConflict);
        }
        Some((_, token)) => {
            let lies = Name {
                attachment: slot.attachment,
                index,
                token,
            };
            if app.chunks.holds(lies, body.len()).await? {
                app.store.change(Some(caller.nonce), Nothing).await?;
                return Ok(StatusCode::NO_CONTENT);
            }
            Some(token)
        }
        None => None,
    };
    write(app, caller.nonce, slot, index, instead_of, digest, body).await
}

async fn write(
    app: &App,
    nonce: Nonce,
    slot: &Slot,
    index: u32,
    instead_of: Option<Token>,
    digest: Digest,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let writing = app.chunks.begin(slot.attachment, index);
    let size = body.len();
    let written = app.chunks.write(&writing, body).await;
    let put = match written {
        Ok(()) => {
            let change = PutChunk {
                name: writing.name,
                size,
                digest,
                instead_of,
                max_bytes: app.limits.store_bytes,
            };
            let put = app.store.change(Some(nonce), change).await;
            put.map_err(Refusal::of_attachment)
        }
        Err(error) => Err(error.into()),
    };
    // Of an unknown fate is none: what is refused is not committed.
    if !matches!(put, Ok(Putting::Stored)) {
        discard(app, writing.name).await;
    }
    match put? {
        Putting::Stored | Putting::Repeated => Ok(StatusCode::NO_CONTENT),
        Putting::Conflict => Err(Refusal::ChunkConflict),
        Putting::Gone => Err(Refusal::NotFound),
        Putting::StoreFull => Err(Refusal::StoreFull),
    }
}

/// Where it cannot be removed now, the look for orphans finds it.
async fn discard(app: &App, name: Name) {
    if let Err(error) = app.chunks.remove(vec![name]).await {
        tracing::debug!(%error, "a chunk that does not count is still to be removed");
    }
}
