//! Byte streams by ticket (`rpc.md`): a call says what is to be done and gets a ticket; a connection of its own whose first
//! line shows it does it, once.

mod attachment;
pub(crate) mod errand;
mod flow;
mod run;
pub(crate) mod tickets;

use std::sync::Arc;
use std::time::Duration;

use connect_api::bytes::Show;
use connect_api::errors::ErrorCode;
use connect_api::method::Access;
use connect_ipc::socket::{Peer, ReadHalf, WriteHalf};
use connect_service::session::Phase;
use jsonrpsee::types::Id;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::rpc::context::Context;
use crate::rpc::failure::error_line;
use flow::Flow;

/// Tickets that nobody showed are forgotten with what they hold: looked at this often.
const LOOK: Duration = Duration::from_secs(30);
/// No ticket's line is longer.
const LONGEST_LINE: usize = 256;

/// The ticket that a line shows, where it shows one.
pub(crate) fn shown(line: &str) -> Option<Show> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    serde_json::from_str(line).ok()
}

/// Serves a connection that has shown a ticket, until either side ends it. `rest` came behind the ticket's line.
pub(crate) async fn serve(
    context: Arc<Context>,
    (show, peer): (Show, Peer),
    (read, rest, write): (ReadHalf, Vec<u8>, WriteHalf),
    ending: CancellationToken,
) {
    let mut flow = Flow::new(read, rest, write, context.limits.stalled());
    let now_ms = context.session.now_ms();
    let redeemed = context.tickets.redeem(show.ticket.expose(), &peer, now_ms);
    let allowed = redeemed.filter(|(_, who)| who.may(Access::Authenticated).is_ok());
    let Some((errand, principal)) = allowed else {
        // Used, expired, somebody else's or none at all: which, nobody is told.
        let line = error_line(&context, &Id::Null, ErrorCode::NotFound);
        flow.line(&line).await.ok();
        return;
    };
    tokio::select! {
        biased;
        () = ending.cancelled() => {}
        () = principal.revoked() => {}
        done = run::run(errand, &context, &mut flow) => if done.is_err() {
            tracing::debug!("a byte stream ended early");
        },
    }
}

/// Forgets tickets when they expire, and when the session that they are for is locked.
pub(crate) async fn tidy(context: Arc<Context>, ending: CancellationToken) {
    let mut phase = context.session.follow();
    loop {
        let is_open = matches!(&*phase.borrow_and_update(), Phase::Unlocked(_));
        context.tickets.tidy(context.session.now_ms(), is_open);
        tokio::select! {
            () = ending.cancelled() => return,
            changed = phase.changed() => if changed.is_err() { return },
            () = sleep(LOOK) => {}
        }
    }
}
