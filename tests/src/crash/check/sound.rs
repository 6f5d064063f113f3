//! A record in which nothing is wrong, for tests to doctor.

use connect_api::conversation::Conversation;
use connect_api::events::{Event, EventBody, MessageReceived};
use connect_api::messages::MessageState;
use connect_proto::hash::sha256;

use super::super::record::{Answer, Entry, Record, Told, Way};

const USERS: [&str; 2] = ["alice", "bob"];

/// Three messages each way, and all that should be told of them.
pub(super) fn sound() -> Record {
    let mut record = Record::default();
    for user in USERS {
        record.told.insert(user.into(), Told::default());
        record.mailboxes.insert(user.into(), 0);
        push(&mut record, user, EventBody::SessionUnlocked {});
    }
    for n in 0..3 {
        for (from, to) in [(USERS[0], USERS[1]), (USERS[1], USERS[0])] {
            send(&mut record, from, to, n);
        }
    }
    record
}

fn send(record: &mut Record, from: &str, to: &str, n: usize) {
    let way = Way::new(from, to);
    let message_id = format!("id-{from}-{n}");
    let content = sha256(message_id.as_bytes());
    record
        .attempted
        .entry(way.clone())
        .or_default()
        .insert(content);
    record.answers.push(Answer {
        way,
        task: n % 2,
        client_ref: format!("ref-{from}-{n}"),
        message_id: message_id.clone(),
        content,
    });
    for (user, other, outgoing, state) in [
        (from, to, true, MessageState::Sent),
        (to, from, false, MessageState::Received),
    ] {
        history(record, user, other).push(Entry {
            message_id: message_id.clone(),
            author: from.into(),
            outgoing,
            content,
            state,
        });
    }
    let received = MessageReceived {
        conversation: Conversation::User(from.into()),
        message_id,
        author: from.into(),
    };
    push(record, to, EventBody::MessageReceived(received));
}

pub(super) fn told<'a>(record: &'a mut Record, user: &str) -> &'a mut Told {
    record.told.get_mut(user).unwrap()
}

pub(super) fn history<'a>(record: &'a mut Record, user: &str, other: &str) -> &'a mut Vec<Entry> {
    told(record, user)
        .histories
        .entry(other.into())
        .or_default()
}

pub(super) fn push(record: &mut Record, user: &str, body: EventBody) {
    let told = told(record, user);
    let event_id = u64::try_from(told.log.len()).unwrap() + 1;
    let event = Event {
        event_id,
        at_ms: 7,
        body,
    };
    told.log.push(event.clone());
    told.followed.push(event);
}

/// Where alice's message of that number stands in a history.
pub(super) fn incoming(entries: &[Entry], n: usize) -> usize {
    let id = format!("id-alice-{n}");
    entries
        .iter()
        .position(|entry| entry.message_id == id)
        .unwrap()
}
