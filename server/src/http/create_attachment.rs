//! `POST /api/v1/attachments`: 204 once the attachment and its readers are durable.

use std::sync::Arc;

use axum::extract::{Request, State};
use connect_proto::{codec, routes, wire};
use http::StatusCode;

use super::App;
use super::authenticate::authenticate;
use crate::check::attachment::{self, Announced};
use crate::refusal::{Refusal, Wrong};
use crate::store::attachments::{Create, Creation};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let (caller, body) = authenticate(&app, request, routes::MAX_CREATE_BYTES).await?;
    let create: wire::CreateAttachment = codec::decode(&body).map_err(|_| Wrong::Malformed)?;
    let announced = attachment::check(create, app.limits.attachment_bytes)?;
    app.throttle.admit_attachment(&caller.user_id)?;
    let Announced {
        id,
        size,
        chunk_count,
        readers,
        digest,
    } = announced;
    let create = Create {
        owner: caller.number,
        id,
        size,
        chunk_count,
        readers,
        digest,
        now_ms: app.clock.now_ms(),
        max_attachments: app.limits.owner_attachments,
        max_bytes: app.limits.owner_attachment_bytes,
    };
    match app.store.change(Some(caller.nonce), create).await {
        Ok(Creation::Created) => Ok(StatusCode::NO_CONTENT),
        Ok(Creation::Conflict) => Err(Refusal::AttachmentConflict),
        Ok(Creation::UnknownReader) => Err(Refusal::UnknownRecipient),
        Ok(Creation::QuotaFull) => Err(Refusal::QuotaFull),
        Ok(Creation::OwnerGone) => Err(caller.ended(&app).await),
        Err(error) => Err(Refusal::of_attachment(error)),
    }
}
