//! Sealing what of ours goes to a contact, or telling why it has to wait (D20, D25).

use connect_core::message::{self, MessageRef, Payload, Text};
use connect_core::outbound::{self, Draft, Recipient, Sender};
use connect_proto::codec;
use connect_store::codes::{StateReason, Trust};
use connect_store::contacts::{Contact, ContactKey};
use connect_store::drafts::{self, Content};

use crate::error::Error;
use crate::unlocked::Unlocked;

/// An encoded envelope, or why there is none yet.
pub(crate) type Sealed = Result<Vec<u8>, StateReason>;

/// Why nothing may go out to a contact for now.
pub(crate) fn hold_reason(contact: &Contact) -> Option<StateReason> {
    usable_key(contact).err()
}

/// A changed key of a verified contact waits for a decision (D25).
fn usable_key(contact: &Contact) -> Result<&ContactKey, StateReason> {
    if contact.trust == Trust::Changed {
        return Err(StateReason::KeyChanged);
    }
    contact.active_key().ok_or(StateReason::KeyRevoked)
}

pub(crate) fn seal(
    unlocked: &Unlocked,
    draft: Draft<'_>,
    contact: &Contact,
) -> Result<Sealed, Error> {
    let key = match usable_key(contact) {
        Ok(key) => key,
        Err(reason) => return Ok(Err(reason)),
    };
    let sender = Sender {
        user_id: unlocked.user_id(),
        box_key: &unlocked.account.box_key,
        installation_id: unlocked.account.installation_id,
    };
    let shared = unlocked.shared_with(&key.box_key);
    let recipient = Recipient {
        user_id: &contact.user_id,
        box_key: &key.box_key,
        shared: &shared,
    };
    let envelope = outbound::seal(sender, draft, &[recipient], &mut unlocked.chance.clone())
        .map_err(|_| Error::TooLarge)?;
    Ok(Ok(codec::encode(&envelope)))
}

/// Seals once more what was written before: the same content, under the key that the contact has now.
pub(crate) fn seal_again(
    unlocked: &Unlocked,
    kept: drafts::Draft,
    contact: &Contact,
) -> Result<Sealed, Error> {
    let payload = match kept.content {
        Content::Text { text, reply_to } => Payload::Text(Text {
            body: text,
            reply_to: reply_to.map(|reference| MessageRef {
                sender: reference.sender,
                message_id: reference.message_id,
                timestamp_ms: reference.timestamp_ms,
            }),
        }),
        Content::Control(payload) => {
            message::decode(&payload).map_err(|_| Error::StorageFailed("controls"))?
        }
    };
    let draft = Draft {
        message_id: kept.message_id,
        timestamp_ms: kept.timestamp_ms,
        group_id: None,
        sequence: kept.sequence,
        ephemeral: false,
        payload: &payload,
    };
    seal(unlocked, draft, contact)
}
