//! `events.*` at work, and every type of event.

use serde_json::json;

use super::{Example, Shown, invalid, sample};
use crate::attachments::AttachmentReason;
use crate::contacts::{Contradiction, KeyState, Trust};
use crate::conversation::Conversation;
use crate::errors::Reason;
use crate::events::{
    Ack, AckParams, Acked, Event, EventBody, GroupChange, List, ListParams, MessageReceived,
    Subscribe, SubscribeParams, Unsubscribe, UnsubscribeParams,
};
use crate::messages::MessageState;
use crate::page::Page;

/// The first subscription of a connection.
const SUBSCRIPTION: u64 = 1;

fn with_bob() -> Conversation {
    Conversation::User(sample::BOB.to_owned())
}

fn received() -> EventBody {
    EventBody::MessageReceived(MessageReceived {
        conversation: with_bob(),
        message_id: sample::ANSWER_ID.to_owned(),
        author: sample::BOB.to_owned(),
    })
}

fn event(body: EventBody) -> Event {
    Event {
        event_id: sample::EVENT_ID,
        at_ms: sample::ANSWERED_MS,
        body,
    }
}

fn out_of_range(field: &str) -> crate::errors::ErrorData {
    invalid(field, Reason::OutOfRange)
}

impl Shown for List {
    fn examples() -> Vec<Example> {
        let after = |after| ListParams {
            after: Some(after),
            limit: Some(1),
        };
        let page = Page {
            items: vec![event(received())],
            next: Some(sample::EVENT_ID),
        };
        vec![
            Example::answered::<Self>(
                "The next event after one",
                &after(sample::EVENT_ID_BEFORE),
                &page,
            ),
            Example::refused::<Self>(
                "After an event that there was not yet",
                &after(sample::FUTURE_EVENT_ID),
                &out_of_range("after"),
            ),
        ]
    }
}

impl Shown for Ack {
    fn examples() -> Vec<Example> {
        let params = AckParams {
            event_id: sample::EVENT_ID,
        };
        let acked = Acked {
            event_id: sample::EVENT_ID,
        };
        vec![Example::answered::<Self>(
            "The event was dealt with",
            &params,
            &acked,
        )]
    }
}

impl Shown for Subscribe {
    fn examples() -> Vec<Example> {
        let after = |after| SubscribeParams { after: Some(after) };
        vec![
            Example::answered::<Self>(
                "From an event on",
                &after(sample::EVENT_ID_BEFORE),
                &SUBSCRIPTION,
            ),
            Example::refused::<Self>(
                "After an event that there was not yet",
                &after(sample::FUTURE_EVENT_ID),
                &out_of_range("after"),
            ),
        ]
    }
}

impl Shown for Unsubscribe {
    fn examples() -> Vec<Example> {
        let params = UnsubscribeParams {
            subscription: SUBSCRIPTION,
        };
        vec![
            Example::answered::<Self>("One that is under way", &params, &true),
            Example::answered::<Self>("One that has ended", &params, &false),
        ]
    }
}

/// One of each type, as `params` of a notification.
pub(crate) fn notifications() -> Vec<Example> {
    bodies()
        .into_iter()
        .map(|(name, body)| {
            let mut event = event(body);
            // It stands for events that are gone, and has the id of the last of them.
            if let EventBody::EventsExpired { to, .. } = event.body {
                event.event_id = to;
                event.at_ms = 0;
            }
            Example {
                name,
                params: json!({"subscription": SUBSCRIPTION, "result": event}),
                answer: Ok(json!(null)),
            }
        })
        .collect()
}

fn bodies() -> Vec<(&'static str, EventBody)> {
    let conversation = with_bob();
    let user_id = sample::BOB.to_owned();
    let author = user_id.clone();
    let message_id = sample::ANSWER_ID.to_owned();
    let other = sample::OTHER_MESSAGE_ID.to_owned();
    let mut bodies = vec![
        ("Bob wrote", received()),
        (
            "Alice's message was delivered",
            EventBody::MessageState {
                conversation: conversation.clone(),
                message_id: sample::MESSAGE_ID.to_owned(),
                user_id: user_id.clone(),
                state: MessageState::Delivered,
                reason: None,
            },
        ),
        (
            "Bob gave his message another text",
            EventBody::MessageEdited {
                conversation: conversation.clone(),
                message_id: message_id.clone(),
                author: author.clone(),
            },
        ),
        (
            "Bob took his message back",
            EventBody::MessageDeleted {
                conversation: conversation.clone(),
                message_id,
                author: author.clone(),
            },
        ),
        (
            "Three of Bob's messages did not come",
            EventBody::MessageMissing {
                message_id: None,
                conversation: conversation.clone(),
                author,
                first_sequence: 2,
                last_sequence: 4,
            },
        ),
        (
            "Bob is writing",
            EventBody::Typing {
                conversation,
                user_id: user_id.clone(),
                active: true,
            },
        ),
        (
            "A message does not come from whom it says",
            EventBody::MessageQuarantined {
                sender: Some(user_id.clone()),
                message_id: Some(other.clone()),
                reason: "cannot_open".to_owned(),
            },
        ),
        (
            "A message came again with other content",
            EventBody::MessageConflict {
                sender: user_id.clone(),
                message_id: other,
            },
        ),
        (
            "Bob was made an admin of a group",
            EventBody::GroupChanged {
                conversation: Conversation::Group(sample::GROUP_ID.to_owned()),
                what: GroupChange::Promoted,
                user_id: Some(user_id.clone()),
                revision: 2,
            },
        ),
        ("The session was locked", EventBody::SessionLocked {}),
        ("The session was unlocked", EventBody::SessionUnlocked {}),
        ("The relay answers again", EventBody::RelayReachable {}),
        ("The relay does not answer", EventBody::RelayUnreachable {}),
        (
            "The account was enrolled elsewhere",
            EventBody::InstallationRevoked {},
        ),
        (
            "Events from before are no longer kept",
            EventBody::EventsExpired {
                from: 1,
                to: sample::EVENT_ID,
            },
        ),
    ];
    bodies.extend(of_contacts());
    bodies.extend(of_attachments());
    bodies.extend(of_cases());
    bodies
}

fn of_attachments() -> Vec<(&'static str, EventBody)> {
    let message_id = Some(sample::FILM_MESSAGE_ID.to_owned());
    let attachment_id = sample::ATTACHMENT_ID.to_owned();
    vec![
        (
            "Four fifths of a film are at the relay",
            EventBody::AttachmentProgress {
                attachment_id: attachment_id.clone(),
                message_id: message_id.clone(),
                transferred: 16_777_216,
                size: 20_971_520,
            },
        ),
        (
            "All of it is at the relay",
            EventBody::AttachmentReady {
                attachment_id,
                message_id,
            },
        ),
        (
            "One was cancelled on its way",
            EventBody::AttachmentFailed {
                attachment_id: sample::CANCELLED_ID.to_owned(),
                message_id: Some(sample::CANCELLED_MESSAGE_ID.to_owned()),
                reason: AttachmentReason::Cancelled,
            },
        ),
    ]
}

fn of_cases() -> Vec<(&'static str, EventBody)> {
    let case = sample::CASE_ID.to_owned();
    vec![
        (
            "Alice began a case",
            EventBody::CaseChanged {
                case: case.clone(),
                author: sample::ALICE.to_owned(),
                revision: 1,
            },
        ),
        (
            "Alice set a field of it",
            EventBody::CaseFieldChanged {
                case: case.clone(),
                name: "allergies".to_owned(),
                author: sample::ALICE.to_owned(),
                field_revision: 2,
            },
        ),
        (
            "Bob set the field at the same time as Alice",
            EventBody::CaseConflict {
                case,
                name: Some("allergies".to_owned()),
                author: sample::BOB.to_owned(),
                revision: 3,
            },
        ),
    ]
}

fn of_contacts() -> Vec<(&'static str, EventBody)> {
    let user_id = sample::BOB.to_owned();
    vec![
        (
            "Bob became a contact",
            EventBody::ContactChanged {
                user_id: user_id.clone(),
            },
        ),
        (
            "Bob enrolled anew",
            EventBody::KeyChanged {
                user_id: user_id.clone(),
                trust: Some(Trust::Changed),
                countersigned: Some(false),
                key_revision: Some(2),
            },
        ),
        (
            "What is sent to Bob waits for a decision",
            EventBody::KeyChangeHold {
                user_id: user_id.clone(),
                held: 2,
            },
        ),
        (
            "Bob's key was compromised",
            EventBody::KeyRevoked {
                user_id: user_id.clone(),
                state: KeyState::Compromised,
            },
        ),
        (
            "The directory has what was revoked in use again",
            EventBody::DirectoryContradiction {
                user_id,
                how: Contradiction::RolledBack,
            },
        ),
    ]
}
