//! What came sealed to a key that is not here, as after a reinstallation, or to a group that is not: its sender is asked
//! for it once more (§5.3, D17).

use std::sync::Arc;

use connect_core::inbound;
use connect_core::message::{MessageRef, Payload};
use connect_core::refusal::Refusal;
use connect_proto::ids::{MessageId, UserId};
use connect_proto::wire;
use connect_store::codes::EventKind;
use connect_store::contacts;
use connect_store::conversations::{self, Conversation};
use connect_store::events::NewEvent;
use connect_store::order::Patience;
use connect_store::row::MAX_INTEGER;
use connect_store::unopened::{self, Room, Unopened};

use crate::asking::{AGAIN_MS, MOST_TIMES};
use crate::audience::Audience;
use crate::controls::{self, Order};
use crate::error::Error;
use crate::journal::Journal;
use crate::senders::Senders;
use crate::unlocked::Unlocked;

/// More than waits for anyone who was away. Whoever sends more of it than that is no colleague, and gets no more answers.
const ROOM: Room = Room {
    of_sender: 500,
    in_all: 5_000,
};
/// They are asked for as soon as the relay has forgotten what could not be opened: it would take no other bytes before.
const PATIENCE: Patience = Patience {
    noticed_ms: 0,
    asked_ms: AGAIN_MS,
    most_times: MOST_TIMES,
};
/// Asked for in one transaction.
const AT_ONCE: u32 = 500;
/// Messages that one request names: it stays among the sizes that a text has.
const NAMED_AT_ONCE: usize = 100;

/// Notes an envelope by its outside, where its sender is known to the directory. Returns whether it is to be asked for.
pub(crate) async fn note(
    journal: &mut Journal,
    senders: &Senders,
    envelope: &wire::Envelope,
) -> Result<bool, Error> {
    let me = journal.unlocked().user_id().clone();
    let Ok(header) = inbound::read_header(envelope, &me) else {
        return Ok(false);
    };
    let is_known = senders
        .contact(&header.sender)
        .is_some_and(|contact| !contact.blocked);
    if envelope.ephemeral || !is_known || header.timestamp_ms > MAX_INTEGER {
        return Ok(false);
    }
    let unopened = Unopened {
        sender: header.sender,
        message_id: header.message_id,
        timestamp_ms: header.timestamp_ms,
    };
    let now_ms = journal.now_ms();
    if !unopened::add(journal.tx(), &unopened, now_ms, ROOM).await? {
        return Ok(false);
    }
    journal.afterwards(|unlocked| unlocked.counters.change_unopened(1));
    tell(journal, &unopened).await?;
    Ok(true)
}

/// It is missing, though nobody can tell from its outside where in its order.
async fn tell(journal: &mut Journal, unopened: &Unopened) -> Result<(), Error> {
    let conversation = Conversation::User(unopened.sender.clone());
    let event = NewEvent {
        conversation: Some(conversations::ensure(journal.tx(), &conversation).await?),
        user_id: Some(unopened.sender.as_str()),
        message_id: Some(unopened.message_id),
        ..NewEvent::of(EventKind::MessageMissing, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// It came once more, and could be opened: what could not is settled.
pub(crate) async fn settle(
    journal: &mut Journal,
    sender: &UserId,
    message_id: MessageId,
) -> Result<(), Error> {
    let reasons = [
        Refusal::UnknownRecipientKey.name(),
        Refusal::UnknownGroup.name(),
    ];
    let settled = unopened::settle(journal.tx(), sender, message_id, &reasons).await?;
    if let Some(put_aside) = settled {
        journal.afterwards(move |unlocked| {
            unlocked.counters.change_unopened(-1);
            unlocked.counters.remove_quarantined(put_aside);
        });
    }
    Ok(())
}

/// Asks each sender for what it is time to ask for. Nothing is read where there is nothing.
pub(crate) async fn ask(unlocked: &Arc<Unlocked>) -> Result<(), Error> {
    if unlocked.counters.unopened() == 0 {
        return Ok(());
    }
    let mut journal = Journal::begin(unlocked).await?;
    let now_ms = journal.now_ms();
    let due = unopened::find_due(journal.tx(), now_ms, PATIENCE, AT_ONCE).await?;
    if due.is_empty() {
        return Ok(());
    }
    for of_sender in due.chunk_by(|one, other| one.sender == other.sender) {
        for named in requests(of_sender) {
            ask_for(&mut journal, named).await?;
        }
    }
    Ok(journal.commit().await?)
}

/// Two references would be the ends of a range (D13): those are asked for one by one.
fn requests(of_sender: &[Unopened]) -> impl Iterator<Item = &[Unopened]> {
    of_sender
        .chunks(NAMED_AT_ONCE)
        .flat_map(|some| some.chunks(if some.len() == 2 { 1 } else { NAMED_AT_ONCE }))
}

async fn ask_for(journal: &mut Journal, named: &[Unopened]) -> Result<(), Error> {
    let now_ms = journal.now_ms();
    let Some(first) = named.first() else {
        return Ok(());
    };
    let Some(contact) = contacts::find_in(journal.tx(), &first.sender).await? else {
        return Ok(());
    };
    let references = named.iter().map(|unopened| MessageRef {
        sender: unopened.sender.clone(),
        message_id: unopened.message_id,
        timestamp_ms: unopened.timestamp_ms,
    });
    let request = Payload::ResendRequest(references.collect());
    let audience = Audience::of_user(contact);
    controls::queue(journal, &audience, Order::Aside, &request).await?;
    for unopened in named {
        unopened::note_asked(journal.tx(), unopened, now_ms).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unopened(count: u8) -> Vec<Unopened> {
        let one = |number| Unopened {
            sender: "alice".parse().unwrap(),
            message_id: MessageId::from_bytes([number; 16]),
            timestamp_ms: 1,
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn no_request_names_two_messages_or_too_many() {
        let sizes = |count| -> Vec<usize> { requests(&unopened(count)).map(<[_]>::len).collect() };
        assert!(sizes(0).is_empty());
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(2), [1, 1]);
        assert_eq!(sizes(3), [3]);
        assert_eq!(sizes(102), [100, 1, 1]);
        assert_eq!(sizes(203), [100, 100, 3]);
    }
}
