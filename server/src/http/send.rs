//! `POST /api/v1/messages/send`: 204 after the commit (D21).

use std::sync::Arc;

use axum::extract::{Request, State};
use connect_points::{Point, pass};
use connect_proto::{codec, routes, wire};
use http::StatusCode;

use super::App;
use super::authenticate::{Caller, authenticate};
use crate::check;
use crate::check::envelope::{Letter, Outgoing};
use crate::refusal::{Refusal, Wrong};
use crate::store::delivery::{Deliver, Delivery, Parcel};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let (caller, body) = authenticate(&app, request, routes::MAX_SEND_BYTES).await?;
    let envelope: wire::Envelope = codec::decode(&body).map_err(|_| Wrong::Malformed)?;
    let outgoing = check::envelope::check(envelope, &caller.user_id)?;
    let nonce = caller.nonce;
    let delivery = deliver(&app, &caller, outgoing);
    let delivered = app.store.change(Some(nonce), delivery).await?;
    pass(Point::RelayAfterSendBeforeAnswer)?;
    match delivered {
        Delivery::Stored => Ok(StatusCode::NO_CONTENT),
        Delivery::UnknownRecipient => Err(Refusal::UnknownRecipient),
        Delivery::RecipientWithoutKey => Err(Refusal::RecipientWithoutKey),
        Delivery::Conflict => Err(Refusal::MessageConflict),
        Delivery::MailboxFull => Err(Refusal::MailboxFull),
    }
}

fn deliver(app: &App, caller: &Caller, outgoing: Outgoing) -> Deliver {
    let message_id = outgoing.message_id;
    let parcel = |Letter {
                      recipient,
                      envelope,
                      digest,
                  }| Parcel {
        tag: app
            .secret
            .dedup_tag(&recipient, &caller.user_id, message_id.as_bytes()),
        recipient,
        digest,
        envelope,
    };
    Deliver {
        sender: caller.number,
        message_id,
        ephemeral: outgoing.ephemeral,
        now_ms: app.clock.now_ms(),
        max_messages: app.limits.mailbox_messages,
        max_bytes: app.limits.mailbox_bytes,
        shared: outgoing.shared,
        parcels: outgoing.letters.into_iter().map(parcel).collect(),
    }
}
