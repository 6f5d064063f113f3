//! `events.*`: what happened, as rows with a rising id that are kept whether or not anyone listens.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::attachments::AttachmentReason;
use crate::contacts::{Contradiction, KeyState, Trust};
use crate::conversation::Conversation;
use crate::messages::{MessageState, StateReason};
use crate::method::{Access, Method as _, Needs, method};
use crate::page::Page;
use crate::scope::Scope;

/// The `method` of an event's notification; its `params` are `{subscription, result}`, the result an event.
pub const NOTIFICATION: &str = "events.event";
pub const SUBSCRIBE: &str = Subscribe::NAME;
pub const UNSUBSCRIBE: &str = Unsubscribe::NAME;
pub const ACCESS: Access = Access::Scope(Scope::EventsRead);
pub const NEEDS: Needs = Needs::Unlocked;

/// Which message an event is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageReceived {
    pub conversation: Conversation,
    pub message_id: String,
    pub author: String,
}

impl fmt::Debug for MessageReceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageReceived({})", self.message_id)
    }
}

/// What happened. Content is not in it: `messages.get` has it, under its own scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// A message came in; `messages.get` has it.
    MessageReceived(MessageReceived),
    /// What has become of a message of ours for one recipient.
    MessageState {
        conversation: Conversation,
        message_id: String,
        user_id: String,
        state: MessageState,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<StateReason>,
    },
    /// Its author gave it another text.
    MessageEdited {
        conversation: Conversation,
        message_id: String,
        author: String,
    },
    /// Its author took it back.
    MessageDeleted {
        conversation: Conversation,
        message_id: String,
        author: String,
    },
    /// By their author's own numbers, these did not come; they are asked for again after a minute (D13).
    MessageMissing {
        conversation: Conversation,
        author: String,
        first_sequence: u64,
        last_sequence: u64,
        /// Where only the id is known: it came sealed to a key that is not here, and was asked for. Both sequences are 0.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message_id: Option<String>,
    },
    /// Somebody began or ceased to write.
    Typing {
        conversation: Conversation,
        user_id: String,
        active: bool,
    },
    /// A tenth more of a large attachment was moved; `attachments.get` tells more exactly.
    AttachmentProgress {
        attachment_id: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message_id: Option<String>,
        transferred: u64,
        size: u64,
    },
    /// All of an attachment is here and agrees; or, of one's own, at the relay.
    AttachmentReady {
        attachment_id: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message_id: Option<String>,
    },
    /// An attachment was not moved.
    AttachmentFailed {
        attachment_id: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        message_id: Option<String>,
        reason: AttachmentReason,
    },
    /// A message was refused and put aside; `reason` is from the list in `docs/refusals.md`.
    MessageQuarantined {
        sender: Option<String>,
        message_id: Option<String>,
        reason: String,
    },
    /// The same id came with other content; the first one stays (D12).
    MessageConflict { sender: String, message_id: String },
    /// A contact is new, or the directory says something else of it.
    ContactChanged { user_id: String },
    /// A contact has another key. Of a verified one, what is sent waits until somebody decides; of another it is a warning.
    KeyChanged {
        user_id: String,
        /// How well the new key is known.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        trust: Option<Trust>,
        /// The key before signed for it, and was not compromised. False: it was lost, or somebody else's key is put in its place.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        countersigned: Option<bool>,
        /// The new key's.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        key_revision: Option<u64>,
    },
    /// What is sent to a contact waits for a decision about its key; `held` of it waits already.
    KeyChangeHold { user_id: String, held: u64 },
    /// A key of a contact is out of use: revoked, compromised, or replaced by one that is not known yet.
    KeyRevoked { user_id: String, state: KeyState },
    /// The directory contradicts what is known of a contact, and is not followed. Told once, until it does not any more.
    DirectoryContradiction { user_id: String, how: Contradiction },
    /// A group's roster or name is another one, or somebody goes by another roster than is known here (D17).
    GroupChanged {
        conversation: Conversation,
        what: GroupChange,
        /// Whom it is about; none where it is about the group as a whole.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        user_id: Option<String>,
        /// The roster's number from now on.
        revision: u64,
    },
    /// A patient case began, or its participants or state are others; `cases.get` has it.
    CaseChanged {
        case: String,
        /// Who changed it.
        author: String,
        revision: u64,
    },
    /// A field of a case has another value.
    CaseFieldChanged {
        case: String,
        name: String,
        author: String,
        field_revision: u64,
    },
    /// Two participants changed the same thing at the same time: of a field both values are kept and shown; of the
    /// participants the same one of the two counts for everybody.
    CaseConflict {
        case: String,
        /// Of the field; not there where it is about the participants.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        name: Option<String>,
        author: String,
        revision: u64,
    },
    /// The keys are locked.
    SessionLocked {},
    /// The keys are open.
    SessionUnlocked {},
    /// The relay answers again.
    RelayReachable {},
    /// The relay does not answer; what is queued goes out by itself later.
    RelayUnreachable {},
    /// The account was enrolled elsewhere, revoked or deleted: the keys are wiped, and this installation is at its end.
    InstallationRevoked {},
    /// Events from `from` to `to` are no longer kept. It comes first, has the id `to`, and no time.
    EventsExpired { from: u64, to: u64 },
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// What of a group is other than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupChange {
    /// This user is in it from now on: it is new, or somebody added the user.
    Joined,
    Renamed,
    Added,
    Removed,
    /// By oneself.
    Left,
    Promoted,
    /// The user goes by another roster, or wrote one that is not taken. Whoever is behind is sent what is missing.
    Disagreement,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// Which scopes an event takes beside `events.read`: any one of them. None for one that takes no other.
/// What is not in here is for the owner alone.
pub const SCOPES: [(&str, &[Scope]); 26] = [
    ("message_received", &[Scope::MessagesRead]),
    ("message_state", &[Scope::MessagesRead, Scope::MessagesSend]),
    ("message_edited", &[Scope::MessagesRead]),
    ("message_deleted", &[Scope::MessagesRead]),
    ("message_missing", &[Scope::MessagesRead]),
    ("message_quarantined", &[Scope::MessagesRead]),
    ("message_conflict", &[Scope::MessagesRead]),
    ("typing", &[Scope::MessagesRead]),
    ("attachment_progress", ATTACHMENTS),
    ("attachment_ready", ATTACHMENTS),
    ("attachment_failed", ATTACHMENTS),
    (
        "contact_changed",
        &[Scope::ContactsRead, Scope::TrustDecide],
    ),
    ("key_changed", &[Scope::ContactsRead, Scope::TrustDecide]),
    (
        "key_change_hold",
        &[Scope::ContactsRead, Scope::TrustDecide],
    ),
    ("key_revoked", &[Scope::ContactsRead, Scope::TrustDecide]),
    (
        "directory_contradiction",
        &[Scope::ContactsRead, Scope::TrustDecide],
    ),
    ("group_changed", &[Scope::MessagesRead, Scope::GroupsWrite]),
    ("case_changed", &[Scope::CasesRead]),
    ("case_field_changed", &[Scope::CasesRead]),
    ("case_conflict", &[Scope::CasesRead]),
    ("session_locked", &[]),
    ("session_unlocked", &[]),
    ("relay_reachable", &[]),
    ("relay_unreachable", &[]),
    ("installation_revoked", &[]),
    ("events_expired", &[]),
];

const ATTACHMENTS: &[Scope] = &[Scope::AttachmentsRead, Scope::AttachmentsWrite];

/// Whether an app with these scopes is told of events of a type; it has `events.read` anyway.
pub fn is_told(event_type: &str, held: &[Scope]) -> bool {
    SCOPES.iter().any(|(name, any_of)| {
        *name == event_type && (any_of.is_empty() || any_of.iter().any(|s| held.contains(s)))
    })
}

/// A row of the event log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Strictly rising.
    pub event_id: u64,
    pub at_ms: u64,
    #[serde(flatten)]
    pub body: EventBody,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscribeParams {
    /// Replays what came after this event, then follows. When left out, it is the app's last `events.ack`; only follows
    /// where there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// Events after this one; from the oldest kept when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<u64>,
    /// 1 to 500; 50 when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
}

method! {
    /// The event log, oldest first.
    List = "events.list"(ListParams) -> Page<Event, u64>, ACCESS, NEEDS, [Invalid]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AckParams {
    /// The last event that was dealt with.
    pub event_id: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acked {
    /// Where the app's cursor stands now: it never moves back.
    pub event_id: u64,
}

method! {
    /// Remembers up to which event the app has got: there `events.subscribe` starts when `after` is left out.
    Ack = "events.ack"(AckParams) -> Acked, ACCESS, NEEDS, [Invalid]
}

method! {
    /// Replays events after `after`, then follows, without a hole between the two. The answer is the subscription's id,
    /// of this connection; events come as notifications after it.
    Subscribe = "events.subscribe"(SubscribeParams) -> u64, ACCESS, NEEDS, [Invalid, RateLimited]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsubscribeParams {
    /// As answered by `events.subscribe` on this connection.
    pub subscription: u64,
}

method! {
    /// Ends a subscription of this connection, and tells whether there was one. No event of it comes after the answer.
    Unsubscribe = "events.unsubscribe"(UnsubscribeParams) -> bool, ACCESS, Needs::Nothing, []
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_daemon_says_does_not_spoil_the_rest() {
        let page = r#"{"items":[
            {"event_id":1,"at_ms":5,"type":"bed_moved","from":4,"to":{"ward":3}},
            {"event_id":2,"at_ms":6,"type":"message_state","conversation":{"user":"u"},"message_id":"m","user_id":"u",
             "state":"teleported","reason":"whim"},
            {"event_id":3,"at_ms":7,"type":"session_locked","why":"lunch"}
        ],"next":null}"#;
        let page: Page<Event, u64> = serde_json::from_str(page).unwrap();
        let bodies: Vec<&EventBody> = page.items.iter().map(|event| &event.body).collect();
        assert_eq!(*bodies[0], EventBody::Other);
        assert!(matches!(
            bodies[1],
            EventBody::MessageState {
                state: MessageState::Other,
                reason: Some(StateReason::Other),
                ..
            }
        ));
        assert_eq!(*bodies[2], EventBody::SessionLocked {});
    }
}
