//! What an event looks like on the socket.

use connect_api::events::{self as api, Event, EventBody, MessageReceived};
use connect_store::codes::EventKind;
use connect_store::events::Event as StoredEvent;
use serde_json::json;

use crate::rpc::shapes;

/// A line that tells a subscriber of an event.
pub(crate) fn notification(subscription: u64, event: StoredEvent) -> String {
    line(subscription, &shape(event))
}

/// The first line of a subscription that asked for more than is still there.
pub(crate) fn expired_notification(subscription: u64, from: u64, to: u64) -> String {
    line(subscription, &expired((from, to)))
}

/// It stands for all events that are gone, and has the id of the last of them: a cursor can be taken from it.
pub(crate) fn expired((from, to): (u64, u64)) -> Event {
    Event {
        event_id: to,
        at_ms: 0,
        body: EventBody::EventsExpired { from, to },
    }
}

fn line(subscription: u64, event: &Event) -> String {
    let params = json!({"subscription": subscription, "result": event});
    json!({"jsonrpc": "2.0", "method": api::NOTIFICATION, "params": params}).to_string()
}

pub(crate) fn shape(event: StoredEvent) -> Event {
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
        (EventKind::MessageEdited, Some(conversation)) => EventBody::MessageEdited {
            conversation,
            message_id: message_id.unwrap_or_default(),
            author: user_id.unwrap_or_default(),
        },
        (EventKind::MessageDeleted, Some(conversation)) => EventBody::MessageDeleted {
            conversation,
            message_id: message_id.unwrap_or_default(),
            author: user_id.unwrap_or_default(),
        },
        (EventKind::MessageMissing, Some(conversation)) => EventBody::MessageMissing {
            conversation,
            author: user_id.unwrap_or_default(),
            first_sequence: event.range.map_or(0, |(first, _)| first),
            last_sequence: event.range.map_or(0, |(_, last)| last),
        },
        (EventKind::Typing, Some(conversation)) => EventBody::Typing {
            conversation,
            user_id: user_id.unwrap_or_default(),
            active: event.range.is_some_and(|(active, _)| active > 0),
        },
        (EventKind::MessageQuarantined, _) => EventBody::MessageQuarantined {
            sender: user_id,
            message_id,
            reason: event.reason.unwrap_or_default(),
        },
        // Those of a conversation always have one.
        (
            EventKind::MessageConflict
            | EventKind::MessageReceived
            | EventKind::MessageState
            | EventKind::MessageEdited
            | EventKind::MessageDeleted
            | EventKind::MessageMissing
            | EventKind::Typing,
            _,
        ) => EventBody::MessageConflict {
            sender: user_id.unwrap_or_default(),
            message_id: message_id.unwrap_or_default(),
        },
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
