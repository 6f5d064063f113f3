//! The contract's enumerations in words.

use connect_api::contacts::Trust;
use connect_api::events::EventBody;
use connect_api::messages::{Auth, Message, MessageState, StateReason};
use connect_api::system::State;
use serde::Serialize;

/// The `type` of every event, for `--types`.
pub(crate) const EVENT_TYPES: [&str; 26] = [
    "message_received",
    "message_state",
    "message_edited",
    "message_deleted",
    "message_missing",
    "message_quarantined",
    "message_conflict",
    "typing",
    "attachment_progress",
    "attachment_ready",
    "attachment_failed",
    "contact_changed",
    "key_changed",
    "key_change_hold",
    "key_revoked",
    "directory_contradiction",
    "group_changed",
    "case_changed",
    "case_field_changed",
    "case_conflict",
    "session_locked",
    "session_unlocked",
    "relay_reachable",
    "relay_unreachable",
    "installation_revoked",
    "events_expired",
];

pub(crate) fn event_type(body: &EventBody) -> &'static str {
    match body {
        EventBody::MessageReceived(_) => "message_received",
        EventBody::MessageState { .. } => "message_state",
        EventBody::MessageEdited { .. } => "message_edited",
        EventBody::MessageDeleted { .. } => "message_deleted",
        EventBody::MessageMissing { .. } => "message_missing",
        EventBody::Typing { .. } => "typing",
        EventBody::AttachmentProgress { .. } => "attachment_progress",
        EventBody::AttachmentReady { .. } => "attachment_ready",
        EventBody::AttachmentFailed { .. } => "attachment_failed",
        EventBody::MessageQuarantined { .. } => "message_quarantined",
        EventBody::MessageConflict { .. } => "message_conflict",
        EventBody::ContactChanged { .. } => "contact_changed",
        EventBody::KeyChanged { .. } => "key_changed",
        EventBody::KeyChangeHold { .. } => "key_change_hold",
        EventBody::KeyRevoked { .. } => "key_revoked",
        EventBody::DirectoryContradiction { .. } => "directory_contradiction",
        EventBody::GroupChanged { .. } => "group_changed",
        EventBody::CaseChanged { .. } => "case_changed",
        EventBody::CaseFieldChanged { .. } => "case_field_changed",
        EventBody::CaseConflict { .. } => "case_conflict",
        EventBody::SessionLocked {} => "session_locked",
        EventBody::SessionUnlocked {} => "session_unlocked",
        EventBody::RelayReachable {} => "relay_reachable",
        EventBody::RelayUnreachable {} => "relay_unreachable",
        EventBody::InstallationRevoked {} => "installation_revoked",
        EventBody::EventsExpired { .. } => "events_expired",
        EventBody::Other => "other",
    }
}

pub(crate) fn state(state: State) -> String {
    name(&state)
}

pub(crate) fn trust(trust: Trust) -> String {
    name(&trust)
}

pub(crate) fn message_state(state: MessageState) -> String {
    name(&state)
}

pub(crate) fn reason(reason: StateReason) -> String {
    name(&reason).replace('_', " ")
}

/// As it stands in JSON, with spaces.
pub(crate) fn spaced(value: &impl Serialize) -> String {
    name(value).replace('_', " ")
}

/// What stands beside a message's author: how it is, and what to beware of.
pub(crate) fn standing(message: &Message) -> String {
    let mut words = message_state(message.state);
    if message.auth == Auth::RetiredKey {
        words.push_str(", under a retired key");
    }
    if message.deleted_ms.is_some() {
        words.push_str(", deleted");
    } else if message.edited_ms.is_some() {
        words.push_str(", edited");
    }
    words
}

/// As it stands in JSON.
pub(crate) fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connect_api::contacts::{Contradiction, KeyState};
    use connect_api::conversation::Conversation;
    use connect_api::events::GroupChange;

    #[test]
    fn event_types_are_those_of_the_contract() {
        let empty = [
            EventBody::SessionLocked {},
            EventBody::SessionUnlocked {},
            EventBody::RelayReachable {},
            EventBody::RelayUnreachable {},
            EventBody::InstallationRevoked {},
            EventBody::ContactChanged {
                user_id: "u".into(),
            },
            EventBody::KeyChanged {
                user_id: "u".into(),
                trust: None,
                countersigned: None,
                key_revision: None,
            },
            EventBody::KeyChangeHold {
                user_id: "u".into(),
                held: 1,
            },
            EventBody::KeyRevoked {
                user_id: "u".into(),
                state: KeyState::Revoked,
            },
            EventBody::DirectoryContradiction {
                user_id: "u".into(),
                how: Contradiction::Forked,
            },
            EventBody::EventsExpired { from: 1, to: 2 },
            EventBody::GroupChanged {
                conversation: Conversation::Group("g".into()),
                what: GroupChange::Renamed,
                user_id: None,
                revision: 2,
            },
            EventBody::CaseChanged {
                case: "c".into(),
                author: "u".into(),
                revision: 1,
            },
            EventBody::CaseFieldChanged {
                case: "c".into(),
                name: "n".into(),
                author: "u".into(),
                field_revision: 1,
            },
            EventBody::CaseConflict {
                case: "c".into(),
                name: None,
                author: "u".into(),
                revision: 1,
            },
            EventBody::MessageConflict {
                sender: "u".into(),
                message_id: "m".into(),
            },
        ];
        for body in empty {
            let json = serde_json::to_value(&body).unwrap();
            assert_eq!(json["type"], event_type(&body));
            assert!(EVENT_TYPES.contains(&event_type(&body)));
        }
    }

    #[test]
    fn names_are_json_s() {
        assert_eq!(message_state(MessageState::Delivered), "delivered");
        assert_eq!(reason(StateReason::MailboxFull), "mailbox full");
    }
}
