//! What is not taken in is put into quarantine under its reason, as it came (D19).

use connect_core::inbound::Opened;
use connect_core::refusal::Refusal;
use connect_proto::ids::{MessageId, UserId};
use connect_proto::{codec, wire};
use connect_store::codes::EventKind;
use connect_store::conversations::ConversationRow;
use connect_store::events::NewEvent;
use connect_store::quarantine;

use crate::error::Error;
use crate::journal::Journal;

/// In quarantine, a message whose id was used for other content before.
const CONFLICT: &str = "message_conflict";

/// What stands under the same id stays; what came is kept beside it, and told of once (D12).
pub(crate) async fn conflict(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    opened: &Opened,
    row: ConversationRow,
) -> Result<(), Error> {
    if !put_aside(journal, envelope, &as_it_came(envelope), CONFLICT).await? {
        return Ok(());
    }
    let event = NewEvent {
        conversation: Some(row),
        user_id: Some(opened.sender.as_str()),
        message_id: Some(opened.message_id),
        ..NewEvent::of(EventKind::MessageConflict, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

pub(crate) async fn refuse(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    refusal: Refusal,
) -> Result<(), Error> {
    put_aside(journal, envelope, &as_it_came(envelope), refusal.name()).await?;
    Ok(())
}

/// The relay's number is no part of what came: a second delivery is the same envelope.
fn as_it_came(envelope: &wire::Envelope) -> Vec<u8> {
    codec::encode(&wire::Envelope {
        queue_seq: 0,
        ..envelope.clone()
    })
}

/// Returns whether the envelope was not in quarantine yet.
pub(crate) async fn put_aside(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    bytes: &[u8],
    reason: &'static str,
) -> Result<bool, Error> {
    let sender = envelope.sender_id.parse::<UserId>().ok();
    let refused = quarantine::Refused {
        reason,
        sender: sender.as_ref().map_or("", UserId::as_str),
        message_id: &envelope.message_id,
        envelope: bytes,
        stored_ms: journal.now_ms(),
    };
    if !quarantine::add(journal.tx(), &refused).await? {
        return Ok(false);
    }
    tracing::warn!(reason, "an envelope was put into quarantine");
    journal.afterwards(|unlocked| unlocked.counters.add_quarantined(1));
    if reason == CONFLICT {
        return Ok(true);
    }
    let event = NewEvent {
        user_id: sender.as_ref().map(UserId::as_str),
        message_id: MessageId::try_from(envelope.message_id.as_slice()).ok(),
        reason: Some(reason),
        ..NewEvent::of(EventKind::MessageQuarantined, journal.now_ms())
    };
    journal.append(&event).await?;
    Ok(true)
}
