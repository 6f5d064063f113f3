//! What an event looks like on the socket.

use connect_api::conversation::Conversation;
use connect_api::events::{self as api, Event, EventBody, MessageReceived};
use connect_proto::ids::AttachmentId;
use connect_store::codes::{AttachmentReason, Contradiction, EventKind, KeyState, Trust};
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
    let change = event.group_change();
    let message_id = event.message_id.map(|id| id.to_string());
    let user_id = event.user_id;
    let conversation = event.conversation.as_ref().map(shapes::conversation);
    match (event.kind, conversation) {
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
        (
            kind @ (EventKind::MessageReceived
            | EventKind::MessageEdited
            | EventKind::MessageDeleted
            | EventKind::MessageMissing
            | EventKind::Typing),
            Some(conversation),
        ) => of_author(
            kind,
            conversation,
            user_id.unwrap_or_default(),
            message_id,
            event.range,
        ),
        (
            kind @ (EventKind::AttachmentProgress
            | EventKind::AttachmentReady
            | EventKind::AttachmentFailed),
            _,
        ) => attachment(
            kind,
            message_id,
            (event.attachment_id, event.range, event.reason),
        ),
        (EventKind::MessageQuarantined, _) => EventBody::MessageQuarantined {
            sender: user_id,
            message_id,
            reason: event.reason.unwrap_or_default(),
        },
        (EventKind::GroupChanged, Some(conversation)) => EventBody::GroupChanged {
            conversation,
            what: change.map_or(
                connect_api::events::GroupChange::Other,
                shapes::group_change,
            ),
            user_id,
            revision: event.range.map_or(0, |(revision, _)| revision),
        },
        // Those of a conversation always have one.
        (
            EventKind::MessageConflict
            | EventKind::MessageReceived
            | EventKind::MessageState
            | EventKind::MessageEdited
            | EventKind::MessageDeleted
            | EventKind::MessageMissing
            | EventKind::GroupChanged
            | EventKind::Typing,
            _,
        ) => EventBody::MessageConflict {
            sender: user_id.unwrap_or_default(),
            message_id: message_id.unwrap_or_default(),
        },
        (
            EventKind::ContactChanged
            | EventKind::KeyChanged
            | EventKind::KeyChangeHold
            | EventKind::KeyRevoked
            | EventKind::DirectoryContradiction,
            _,
        ) => of_contact(
            event.kind,
            user_id.unwrap_or_default(),
            event.reason.as_deref(),
            event.range,
        ),
        (EventKind::CaseChanged | EventKind::CaseFieldChanged | EventKind::CaseConflict, of) => {
            of_case(event.kind, of, user_id, event.range, event.name)
        }
        (
            EventKind::SessionLocked
            | EventKind::SessionUnlocked
            | EventKind::RelayReachable
            | EventKind::RelayUnreachable
            | EventKind::InstallationRevoked,
            _,
        ) => of_daemon(event.kind),
    }
}

/// What somebody said or did in a conversation.
fn of_author(
    kind: EventKind,
    conversation: Conversation,
    author: String,
    message_id: Option<String>,
    range: Option<(u64, u64)>,
) -> EventBody {
    match kind {
        EventKind::MessageReceived => EventBody::MessageReceived(MessageReceived {
            conversation,
            message_id: message_id.unwrap_or_default(),
            author,
        }),
        EventKind::MessageEdited => EventBody::MessageEdited {
            conversation,
            message_id: message_id.unwrap_or_default(),
            author,
        },
        EventKind::MessageDeleted => EventBody::MessageDeleted {
            conversation,
            message_id: message_id.unwrap_or_default(),
            author,
        },
        EventKind::MessageMissing => EventBody::MessageMissing {
            conversation,
            author,
            first_sequence: range.map_or(0, |(first, _)| first),
            last_sequence: range.map_or(0, |(_, last)| last),
            message_id,
        },
        _ => EventBody::Typing {
            conversation,
            user_id: author,
            active: range.is_some_and(|(active, _)| active > 0),
        },
    }
}

fn of_daemon(kind: EventKind) -> EventBody {
    match kind {
        EventKind::SessionLocked => EventBody::SessionLocked {},
        EventKind::SessionUnlocked => EventBody::SessionUnlocked {},
        EventKind::RelayReachable => EventBody::RelayReachable {},
        EventKind::RelayUnreachable => EventBody::RelayUnreachable {},
        _ => EventBody::InstallationRevoked {},
    }
}

type Moved = (Option<AttachmentId>, Option<(u64, u64)>, Option<String>);

fn attachment(
    kind: EventKind,
    message_id: Option<String>,
    (id, range, reason): Moved,
) -> EventBody {
    let attachment_id = id.map_or(String::new(), |id| id.to_string());
    match kind {
        EventKind::AttachmentProgress => EventBody::AttachmentProgress {
            attachment_id,
            message_id,
            transferred: range.map_or(0, |(transferred, _)| transferred),
            size: range.map_or(0, |(_, size)| size),
        },
        EventKind::AttachmentReady => EventBody::AttachmentReady {
            attachment_id,
            message_id,
        },
        _ => EventBody::AttachmentFailed {
            attachment_id,
            message_id,
            reason: word(
                reason.as_deref(),
                AttachmentReason::ALL,
                AttachmentReason::word,
            )
            .map_or(
                connect_api::attachments::AttachmentReason::Other,
                shapes::attachment_reason,
            ),
        },
    }
}

fn of_contact(
    kind: EventKind,
    user_id: String,
    reason: Option<&str>,
    range: Option<(u64, u64)>,
) -> EventBody {
    match kind {
        EventKind::ContactChanged => EventBody::ContactChanged { user_id },
        EventKind::KeyChanged => EventBody::KeyChanged {
            user_id,
            trust: word(reason, Trust::ALL, Trust::word).map(shapes::trust),
            countersigned: range.map(|(signed, _)| signed > 0),
            key_revision: range.map(|(_, revision)| revision),
        },
        EventKind::KeyChangeHold => EventBody::KeyChangeHold {
            user_id,
            held: range.map_or(0, |(held, _)| held),
        },
        EventKind::KeyRevoked => EventBody::KeyRevoked {
            user_id,
            state: word(reason, KeyState::ALL, KeyState::word)
                .map_or(connect_api::contacts::KeyState::Other, shapes::key_state),
        },
        _ => EventBody::DirectoryContradiction {
            user_id,
            how: word(reason, Contradiction::ALL, Contradiction::word).map_or(
                connect_api::contacts::Contradiction::Other,
                shapes::contradiction,
            ),
        },
    }
}

fn of_case(
    kind: EventKind,
    conversation: Option<Conversation>,
    author: Option<String>,
    range: Option<(u64, u64)>,
    name: Option<String>,
) -> EventBody {
    let case = match conversation {
        Some(Conversation::Case(case)) => case,
        _ => String::new(),
    };
    let author = author.unwrap_or_default();
    let revision = range.map_or(0, |(revision, _)| revision);
    match kind {
        EventKind::CaseFieldChanged => EventBody::CaseFieldChanged {
            case,
            name: name.unwrap_or_default(),
            author,
            field_revision: revision,
        },
        EventKind::CaseConflict => EventBody::CaseConflict {
            case,
            name,
            author,
            revision,
        },
        _ => EventBody::CaseChanged {
            case,
            author,
            revision,
        },
    }
}

/// What an event's reason stands for, among the words that it may be.
fn word<T: Copy>(said: Option<&str>, all: &[T], spell: impl Fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|one| Some(spell(*one)) == said)
}
