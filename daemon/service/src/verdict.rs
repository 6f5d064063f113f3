//! What an envelope turns out to be, judged by what is known of its sender (§7.3, D10, D19, D21).

use connect_core::inbound::{self, Candidate, Opened, Reader};
use connect_core::message::Payload;
use connect_core::refusal::Refusal;
use connect_proto::ids::{MessageId, UserId};
use connect_proto::sign::{Purpose, verify};
use connect_proto::{codec, wire};
use connect_store::codes::StateReason;
use connect_store::row::MAX_INTEGER;

use crate::senders::Senders;
use crate::unlocked::Unlocked;

/// What an envelope turned out to be.
pub(crate) enum Verdict {
    Message(Opened),
    /// The relay gave one of our own messages up (D21).
    Bounce {
        message_id: MessageId,
        recipient: UserId,
        reason: StateReason,
    },
    /// The relay hints that a contact's keys changed; the directory has been asked already (D10).
    Update,
    Refused(Refusal),
}

pub(crate) fn judge(unlocked: &Unlocked, envelope: &wire::Envelope, senders: &Senders) -> Verdict {
    if let Some(update) = &envelope.contact_update {
        return match verified_update(unlocked, update) {
            Some(_) => Verdict::Update,
            None => Verdict::Refused(Refusal::BadContactUpdate),
        };
    }
    if let Some(bounce) = &envelope.bounce {
        return judge_bounce(bounce);
    }
    match open(unlocked, envelope, senders) {
        Ok(opened) => Verdict::Message(opened),
        Err(refusal) => Verdict::Refused(refusal),
    }
}

fn judge_bounce(bounce: &wire::Bounce) -> Verdict {
    let message_id = MessageId::try_from(bounce.message_id.as_slice());
    let (Ok(message_id), Ok(recipient)) = (message_id, bounce.recipient_id.parse()) else {
        return Verdict::Refused(Refusal::MalformedEnvelope);
    };
    let reason = match bounce.reason() {
        wire::bounce::Reason::Expired => StateReason::Expired,
        wire::bounce::Reason::RecipientDeleted => StateReason::RecipientDeleted,
    };
    Verdict::Bounce {
        message_id,
        recipient,
        reason,
    }
}

fn open(
    unlocked: &Unlocked,
    envelope: &wire::Envelope,
    senders: &Senders,
) -> Result<Opened, Refusal> {
    let header = inbound::read_header(envelope, unlocked.user_id())?;
    if header.timestamp_ms > MAX_INTEGER {
        return Err(Refusal::MalformedEnvelope);
    }
    let keys = senders.keys_to_try(unlocked, &header.sender);
    let candidates: Vec<Candidate<'_>> = keys
        .iter()
        .map(|(key, shared, standing)| Candidate {
            box_key: &key.box_key,
            shared,
            standing: *standing,
        })
        .collect();
    let me = Reader {
        user_id: unlocked.user_id(),
        box_key: &unlocked.account.box_key,
    };
    let opened = inbound::open(&header, me, &candidates)?;
    if opened.sequence > MAX_INTEGER {
        return Err(Refusal::MalformedInner);
    }
    // No roster is known that would name its members (D17): anyone could write into it.
    if opened.group_id.is_some() {
        return Err(Refusal::UnsupportedEnvelope);
    }
    if !is_by_its_author(&opened) {
        return Err(Refusal::MalformedPayload);
    }
    Ok(opened)
}

/// Whose word an amendment is: nobody edits what somebody else wrote (D12).
fn is_by_its_author(opened: &Opened) -> bool {
    match &opened.payload {
        Payload::Edit { target, .. } | Payload::Delete { target } => target.sender == opened.sender,
        _ => true,
    }
}

/// Whom a contact update is about, where the relay's operator signed it.
pub(crate) fn verified_update(unlocked: &Unlocked, update: &wire::ContactUpdate) -> Option<UserId> {
    let key = &unlocked.account.operations_key;
    verify(
        Purpose::ContactUpdate,
        &update.statement,
        &update.signature,
        key,
    )
    .ok()?;
    let statement: wire::ContactUpdateStatement = codec::decode(&update.statement).ok()?;
    statement.user_id.parse().ok()
}
