//! Queueing what is no message to show: receipts, edits, deletions, resend requests.

use connect_core::message::{self, Payload};
use connect_core::outbound::Draft;
use connect_proto::ids::MessageId;
use connect_store::conversations;
use connect_store::outgoing::Control;

use crate::audience::{Audience, Instead};
use crate::error::Error;
use crate::journal::Journal;
use crate::seal::seal;

/// Durable with the transaction. Returns its number in the conversation: 0 where it stands outside of the order, as what
/// is for some of a roster alone does: the others would miss it.
pub(crate) async fn queue(
    journal: &mut Journal,
    audience: &Audience,
    order: Order,
    payload: &Payload,
) -> Result<u64, Error> {
    if audience.is_empty() {
        return Ok(0);
    }
    let conversation = &audience.conversation;
    let (row, sequence) = match order {
        Order::Numbered => conversations::next_sequence(journal.tx(), conversation).await?,
        Order::Aside if !audience.is_shared() => {
            conversations::next_sequence(journal.tx(), conversation).await?
        }
        Order::Aside => (conversations::ensure(journal.tx(), conversation).await?, 0),
    };
    let timestamp_ms = journal.now_ms();
    let message_id = MessageId::random(&mut journal.unlocked().chance.clone());
    let draft = Draft {
        message_id,
        timestamp_ms,
        group_id: audience.group_id(),
        roster: audience.roster,
        sequence,
        ephemeral: false,
        payload,
    };
    let instead = Instead::of(journal, payload, audience).await?;
    let sealed = seal(journal.unlocked(), draft, audience, &instead)?;
    let each = audience.each(&sealed);
    let control = Control {
        conversation: row,
        message_id,
        timestamp_ms,
        sequence,
        payload: &message::encode(payload),
        recipients: audience.recipients(&each),
        envelope: sealed.envelope.as_deref(),
    };
    journal.queue_control(&control).await?;
    Ok(sequence)
}

/// Whether it has a number of its own where several hear what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Everyone gets it.
    Numbered,
    /// Some of them do.
    Aside,
}
