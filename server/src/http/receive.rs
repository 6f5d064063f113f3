//! `POST /api/v1/messages/receive`: deletes what is acknowledged, then answers what waits, or waits for it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use connect_points::{Point, pass};
use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::{codec, routes, wire};
use tokio::time::{Instant, sleep_until};

use super::authenticate::{self, authenticate};
use super::list::List;
use super::{App, protobuf};
use crate::check;
use crate::refusal::{Refusal, Wrong};
use crate::store::UserNumber;
use crate::store::mailbox::{self, Acknowledge};
use crate::wakes::Poll;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (caller, body) = authenticate(&app, request, routes::MAX_CALL_BYTES).await?;
    let ack: wire::Ack = codec::decode(&body).map_err(|_| Wrong::Malformed)?;
    drop(body);
    let receive = check::ack::check(&ack)?;
    drop(ack);
    let (user, user_id, key) = (caller.number, caller.user_id.clone(), caller.key);
    let acknowledge = Acknowledge {
        user,
        entries: receive.acknowledged,
    };
    app.store.change(Some(caller.nonce), acknowledge).await?;
    pass(Point::RelayAfterAckBeforePage)?;
    // Of who waits nothing more is kept than is needed.
    drop(caller);
    let reader = Reader { user_id, key };
    // Before the first look: what is committed after that look rings.
    let poll = app.wakes.register(user);
    let deadline = Instant::now() + receive.wait;
    loop {
        let list = waiting(&app, user, receive.limit).await?;
        // After the look: what came in for a newer key is not this one's to read.
        if !reader.may_read(&app).await? {
            return Ok(protobuf(Vec::new()));
        }
        if !list.is_empty() || !news_before(deadline, &poll, &app).await {
            return Ok(protobuf(list.into_bytes()));
        }
    }
}

/// Whose key it was that asked.
struct Reader {
    user_id: UserId,
    key: SignPublicKey,
}

impl Reader {
    /// False where the same installation goes on under a newer key: it asks again.
    async fn may_read(&self, app: &App) -> Result<bool, Refusal> {
        let known = app.store.find_caller(&self.user_id).await?;
        if known.is_some_and(|known| known.active == Some(self.key)) {
            return Ok(true);
        }
        match app.store.find_ended(&self.user_id, &self.key).await? {
            Some(ended) if ended.rotated => Ok(false),
            _ => Err(authenticate::ended(app, &self.user_id, &self.key).await),
        }
    }
}

async fn waiting(app: &App, user: UserNumber, limit: usize) -> Result<List, Refusal> {
    let mut bytes = 0;
    let fits = |waiting: &mailbox::Waiting| {
        bytes += List::encoded_len(waiting);
        bytes + List::MORE_LEN <= routes::MAX_RECEIVE_BYTES
    };
    let page = mailbox::page(app.store.readers(), user, limit, app.clock.now_ms(), fits).await?;
    Ok(List::encode(&page))
}

/// Whether it is worth another look.
async fn news_before(deadline: Instant, poll: &Poll, app: &App) -> bool {
    tokio::select! {
        biased;
        () = app.stopping.cancelled() => false,
        () = sleep_until(deadline) => false,
        () = poll.news() => !poll.is_superseded(),
    }
}
