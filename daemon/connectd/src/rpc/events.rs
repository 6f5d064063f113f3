//! `events.*`, and what an event looks like on the socket.

use std::sync::Arc;

use connect_api::errors::ErrorCode;
use connect_api::events::{self as api, Event, EventBody, List, MessageReceived, SubscribeParams};
use connect_api::page::Page;
use connect_service::events;
use connect_store::codes::EventKind;
use connect_store::events::Event as StoredEvent;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::core::server::Extensions;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::Deserialize;
use serde_json::json;

use crate::rpc::context::{Caller, Context};
use crate::rpc::decode::{decode, limit, paged};
use crate::rpc::failure::Failure;
use crate::rpc::{Module, shapes};

pub(super) fn register(module: &mut Module) -> Result<(), RegisterMethodError> {
    super::register::<List, _, _>(module, async |context, _, params| {
        let limit = limit(params.limit)?;
        let unlocked = context.session.unlocked()?;
        let after = params.after.unwrap_or_default();
        let found = events::list(&unlocked, after, limit + 1).await?;
        let (page, more) = paged(found, limit);
        let next = page.last().filter(|_| more);
        Ok(Page {
            next: next.map(|event| event.event_id),
            items: page.into_iter().map(shape).collect(),
        })
    })?;
    module.register_async_method(api::SUBSCRIBE, async |params, context, extensions| {
        let opened = subscribe(&params, &context, &extensions);
        opened.map_err(|failure| failure.into_error(&context, api::SUBSCRIBE))
    })?;
    module.register_async_method(api::UNSUBSCRIBE, async |params, context, extensions| {
        let closed = unsubscribe(&params, &extensions);
        let closed: Result<bool, ErrorObjectOwned> =
            closed.map_err(|failure| failure.into_error(&context, api::UNSUBSCRIBE));
        closed
    })?;
    Ok(())
}

fn caller(extensions: &Extensions) -> Result<&Arc<Caller>, Failure> {
    let caller = extensions
        .get::<Arc<Caller>>()
        .ok_or(Failure::internal("no caller"))?;
    caller.principal.may(api::ACCESS)?;
    Ok(caller)
}

/// The subscription belongs to the connection, which starts it once this is answered.
fn subscribe(
    params: &Params<'_>,
    context: &Context,
    extensions: &Extensions,
) -> Result<u64, Failure> {
    let caller = caller(extensions)?;
    let newest = context.session.unlocked()?.newest_event();
    let params: SubscribeParams = decode(params.as_str())?;
    // "From now on" is settled here: what happens before the subscription runs is replayed.
    let after = params.after.unwrap_or(newest);
    caller
        .subscriptions
        .open(after)
        .map_err(|_| Failure::new(ErrorCode::RateLimited))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnsubscribeParams {
    subscription: u64,
}

fn unsubscribe(params: &Params<'_>, extensions: &Extensions) -> Result<bool, Failure> {
    let caller = caller(extensions)?;
    let params: UnsubscribeParams = decode(params.as_str())?;
    Ok(caller.subscriptions.close(params.subscription))
}

/// A line that tells a subscriber of an event.
pub(crate) fn notification(subscription: u64, event: StoredEvent) -> String {
    line(subscription, &shape(event))
}

/// The first line of a subscription that asked for more than is still there.
pub(crate) fn expired_notification(subscription: u64, from: u64, to: u64) -> String {
    let event = Event {
        event_id: 0,
        at_ms: 0,
        body: EventBody::EventsExpired { from, to },
    };
    line(subscription, &event)
}

fn line(subscription: u64, event: &Event) -> String {
    let params = json!({"subscription": subscription, "result": event});
    json!({"jsonrpc": "2.0", "method": api::NOTIFICATION, "params": params}).to_string()
}

fn shape(event: StoredEvent) -> Event {
    Event {
        event_id: event.event_id,
        at_ms: event.at_ms,
        body: body(event),
    }
}

fn body(event: StoredEvent) -> EventBody {
    let reason = event.state_reason();
    let message_id = event.message_id.map(|id| id.to_string());
    let user_id = event.user_id;
    let conversation = event.conversation.as_ref().map(shapes::conversation);
    match (event.kind, conversation) {
        (EventKind::MessageReceived, Some(conversation)) => {
            EventBody::MessageReceived(MessageReceived {
                conversation,
                message_id: message_id.unwrap_or_default(),
                author: user_id.unwrap_or_default(),
            })
        }
        (EventKind::MessageState, Some(conversation)) => EventBody::MessageState {
            conversation,
            message_id: message_id.unwrap_or_default(),
            user_id: user_id.unwrap_or_default(),
            state: event.state.map_or(
                connect_api::messages::MessageState::Queued,
                shapes::message_state,
            ),
            reason: reason.map(shapes::reason),
        },
        (EventKind::MessageQuarantined, _) => EventBody::MessageQuarantined {
            sender: user_id,
            message_id,
            reason: event.reason.unwrap_or_default(),
        },
        (EventKind::MessageConflict | EventKind::MessageReceived | EventKind::MessageState, _) => {
            EventBody::MessageConflict {
                sender: user_id.unwrap_or_default(),
                message_id: message_id.unwrap_or_default(),
            }
        }
        (EventKind::ContactChanged, _) => EventBody::ContactChanged {
            user_id: user_id.unwrap_or_default(),
        },
        (EventKind::KeyChanged, _) => EventBody::KeyChanged {
            user_id: user_id.unwrap_or_default(),
        },
        (EventKind::SessionLocked, _) => EventBody::SessionLocked {},
        (EventKind::SessionUnlocked, _) => EventBody::SessionUnlocked {},
        (EventKind::RelayReachable, _) => EventBody::RelayReachable {},
        (EventKind::RelayUnreachable, _) => EventBody::RelayUnreachable {},
        (EventKind::InstallationRevoked, _) => EventBody::InstallationRevoked {},
    }
}
