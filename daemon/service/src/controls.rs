//! Queueing what is no message to show: receipts, edits, deletions, resend requests.

use connect_core::message::{self, Payload};
use connect_core::outbound::Draft;
use connect_proto::ids::MessageId;
use connect_store::contacts::Contact;
use connect_store::conversations::{self, Conversation};
use connect_store::outgoing::Control;

use crate::error::Error;
use crate::journal::Journal;
use crate::seal::seal;

/// Durable with the transaction. Returns its number in the conversation.
pub(crate) async fn queue(
    journal: &mut Journal,
    contact: &Contact,
    payload: &Payload,
) -> Result<u64, Error> {
    let conversation = Conversation::User(contact.user_id.clone());
    let (row, sequence) = conversations::next_sequence(journal.tx(), &conversation).await?;
    let timestamp_ms = journal.now_ms();
    let message_id = MessageId::random(&mut journal.unlocked().chance.clone());
    let draft = Draft {
        message_id,
        timestamp_ms,
        group_id: None,
        sequence,
        ephemeral: false,
        payload,
    };
    let envelope = seal(journal.unlocked(), draft, contact)?;
    let control = Control {
        conversation: row,
        message_id,
        timestamp_ms,
        sequence,
        payload: &message::encode(payload),
        envelope: envelope.as_deref().map_err(|reason| *reason),
    };
    journal.queue_control(&control).await?;
    Ok(sequence)
}
