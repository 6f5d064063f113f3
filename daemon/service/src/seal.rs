//! Sealing what of ours goes to a contact, or telling why it has to wait (D20, D25).

use connect_core::message::{self, MessageRef, Payload, Text};
use connect_core::outbound::{self, Draft, Recipient, Sender};
use connect_proto::codec;
use connect_proto::ids::{InstallationId, MessageId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::wire;
use connect_store::codes::{KeyDecision, StateReason, Trust};
use connect_store::contacts::{Contact, ContactKey};
use connect_store::drafts::Content;

use crate::audience::{Audience, Instead};
use crate::error::Error;
use crate::own::OwnBox;
use crate::sealed::Sealed;
use crate::unlocked::Unlocked;

/// From so many recipients on, sealing is worth the threads.
const MANY: usize = 64;

/// Why nothing may go out to a contact for now.
pub(crate) fn hold_reason(contact: &Contact) -> Option<StateReason> {
    usable_key(contact).err()
}

/// A changed key of a verified contact waits for a decision (D25).
fn usable_key(contact: &Contact) -> Result<&ContactKey, StateReason> {
    let key = contact.active_key().ok_or(StateReason::KeyRevoked)?;
    match (contact.trust, key.decided()) {
        (_, Some(KeyDecision::Rejected)) => Err(StateReason::KeyRejected),
        (Trust::Changed, _) => Err(StateReason::KeyChanged),
        _ => Ok(key),
    }
}

pub(crate) fn seal(
    unlocked: &Unlocked,
    draft: Draft<'_>,
    audience: &Audience,
    instead: &Instead,
) -> Result<Sealed, Error> {
    let installation_id = unlocked.me().account.installation_id;
    seal_as(unlocked, installation_id, draft, audience, instead)
}

/// In the order of an installation, which is not this one for what a backup brought along.
fn seal_as(
    unlocked: &Unlocked,
    installation_id: InstallationId,
    draft: Draft<'_>,
    audience: &Audience,
    instead: &Instead,
) -> Result<Sealed, Error> {
    let contacts = &audience.contacts;
    let mut holds = Vec::with_capacity(contacts.len());
    let mut ready = Vec::with_capacity(contacts.len());
    for contact in contacts {
        let usable = usable_key(contact);
        holds.push(usable.err());
        if let Ok(key) = usable {
            ready.push((&contact.user_id, &key.box_key));
        }
    }
    if ready.is_empty() {
        return Ok(Sealed {
            envelope: None,
            holds,
        });
    }
    let me = unlocked.me();
    let sender = Sender {
        user_id: unlocked.user_id(),
        box_key: &me.boxed().public,
        installation_id,
    };
    let boxes = |some: &[(&UserId, &BoxPublicKey)]| {
        seal_boxes(unlocked, me.boxed(), (sender, draft), some, instead)
    };
    let sealed = if ready.len() < MANY {
        boxes(&ready)?
    } else {
        on_all_cores(&ready, &boxes)?
    };
    let envelope = outbound::envelope(sender, draft, sealed);
    Ok(Sealed {
        envelope: Some(codec::encode(&envelope)),
        holds,
    })
}

type To<'a> = (&'a UserId, &'a BoxPublicKey);

/// What is shared with each is computed once and kept (D5).
fn seal_boxes(
    unlocked: &Unlocked,
    mine: &OwnBox,
    (sender, draft): (Sender<'_>, Draft<'_>),
    some: &[To<'_>],
    instead: &Instead,
) -> Result<Vec<wire::Sealed>, Error> {
    let shared: Vec<_> = some.iter().map(|(_, key)| mine.shared_with(key)).collect();
    let recipients = some.iter().zip(&shared);
    let recipients: Vec<_> = recipients
        .map(|((user_id, box_key), shared)| Recipient {
            user_id,
            box_key,
            shared,
            instead: instead.for_user(user_id),
        })
        .collect();
    outbound::seal_boxes(sender, draft, &recipients, &mut unlocked.chance.clone())
        .map_err(|_| Error::TooLarge)
}

/// In as many parts as there are cores, each part in its place.
fn on_all_cores(
    all: &[To<'_>],
    boxes: &(impl Fn(&[To<'_>]) -> Result<Vec<wire::Sealed>, Error> + Sync),
) -> Result<Vec<wire::Sealed>, Error> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let parts = all.chunks(all.len().div_ceil(cores));
    std::thread::scope(|scope| {
        let sealing: Vec<_> = parts.map(|part| scope.spawn(move || boxes(part))).collect();
        let mut sealed = Vec::with_capacity(all.len());
        for part in sealing {
            let part = part.join();
            sealed.extend(part.map_err(|_| Error::Internal("sealing ended early"))??);
        }
        Ok(sealed)
    })
}

/// The payload of what was written before.
pub(crate) fn payload_of(content: Content) -> Result<Payload, Error> {
    Ok(match content {
        Content::Text { text, reply_to } => Payload::Text(Text {
            body: text,
            reply_to: reply_to.map(|reference| MessageRef {
                sender: reference.sender,
                message_id: reference.message_id,
                timestamp_ms: reference.timestamp_ms,
            }),
        }),
        Content::Withdrawn(itself) => Payload::Delete {
            target: MessageRef {
                sender: itself.sender,
                message_id: itself.message_id,
                timestamp_ms: itself.timestamp_ms,
            },
        },
        Content::Attachment(said) => Payload::Attachment(said),
        Content::Control(payload) => {
            message::decode(&payload).map_err(|_| Error::StorageFailed("controls"))?
        }
    })
}

/// Seals once more what was written before: the same content, under the keys that the contacts have now.
pub(crate) fn seal_again(
    unlocked: &Unlocked,
    kept: &Written,
    audience: &Audience,
    instead: &Instead,
) -> Result<Sealed, Error> {
    let draft = Draft {
        message_id: kept.message_id,
        timestamp_ms: kept.timestamp_ms,
        group_id: audience.group_id(),
        roster: audience.roster,
        sequence: kept.sequence,
        ephemeral: false,
        payload: &kept.payload,
    };
    let installation_id = kept
        .installation_id
        .unwrap_or(unlocked.me().account.installation_id);
    seal_as(unlocked, installation_id, draft, audience, instead)
}

/// What of ours was written, ready to be sealed.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) message_id: MessageId,
    pub(crate) timestamp_ms: u64,
    pub(crate) installation_id: Option<InstallationId>,
    pub(crate) sequence: u64,
    pub(crate) payload: Payload,
}
