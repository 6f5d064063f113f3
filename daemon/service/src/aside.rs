//! What is not taken in is put into quarantine under its reason, as it came (D19).

use connect_proto::ids::{CaseId, MessageId, UserId};
use connect_proto::{codec, wire};
use connect_store::codes::EventKind;
use connect_store::conversations::ConversationRow;
use connect_store::events::NewEvent;
use connect_store::quarantine;

use crate::error::Error;
use crate::journal::Journal;

/// In quarantine, a message whose id was used for other content before.
pub(crate) const CONFLICT: &str = "message_conflict";

/// In quarantine, what came from a contact who is blocked.
pub(crate) const BLOCKED: &str = "blocked";

/// What stands under the same id stays; what came is kept beside it, and told of once (D12).
pub(crate) async fn conflict(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    (sender, message_id): (&UserId, MessageId),
    row: ConversationRow,
) -> Result<(), Error> {
    let now = Aside::now(journal, CONFLICT);
    if !put_aside(journal, envelope, &as_it_came(envelope), now).await? {
        return Ok(());
    }
    tell_of_conflict(journal, (sender, message_id), row).await
}

pub(crate) async fn tell_of_conflict(
    journal: &mut Journal,
    (sender, message_id): (&UserId, MessageId),
    row: ConversationRow,
) -> Result<(), Error> {
    let event = NewEvent {
        conversation: Some(row),
        user_id: Some(sender.as_str()),
        message_id: Some(message_id),
        ..NewEvent::of(EventKind::MessageConflict, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// Why and since when something is put aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aside {
    pub(crate) reason: &'static str,
    /// The case that it waits in, where it may come right by what comes after it.
    pub(crate) case_id: Option<CaseId>,
    pub(crate) since_ms: u64,
}

impl Aside {
    pub(crate) fn now(journal: &Journal, reason: &'static str) -> Self {
        Self {
            reason,
            case_id: None,
            since_ms: journal.now_ms(),
        }
    }
}

pub(crate) async fn refuse(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    aside: Aside,
) -> Result<(), Error> {
    put_aside(journal, envelope, &as_it_came(envelope), aside).await?;
    Ok(())
}

/// Kept, so that nothing is lost where the contact is unblocked; acknowledged, and told to nobody who wrote it.
pub(crate) async fn keep_blocked(
    journal: &mut Journal,
    envelope: &wire::Envelope,
) -> Result<(), Error> {
    let now = Aside::now(journal, BLOCKED);
    put_aside(journal, envelope, &as_it_came(envelope), now).await?;
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
    aside: Aside,
) -> Result<bool, Error> {
    let reason = aside.reason;
    let sender = envelope.sender_id.parse::<UserId>().ok();
    let refused = quarantine::Refused {
        reason,
        sender: sender.as_ref().map_or("", UserId::as_str),
        message_id: &envelope.message_id,
        envelope: bytes,
        stored_ms: aside.since_ms,
        case_id: aside.case_id,
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
