//! What an envelope turns out to be, judged by what is known of its sender (§7.3, D10, D19, D21).

use connect_core::inbound::{self, Candidate, Opened, Reader};
use connect_core::message::Payload;
use connect_core::refusal::Refusal;
use connect_proto::ids::{MessageId, UserId};
use connect_proto::wire;
use connect_store::codes::StateReason;
use connect_store::row::MAX_INTEGER;

use crate::senders::{RETIRED_KEY_MS, Senders};
use crate::unlocked::Unlocked;
use crate::updates;

/// What an envelope turned out to be.
pub(crate) enum Verdict {
    Message(Box<Opened>),
    /// The relay gave one of our own messages up (D21).
    Bounce {
        message_id: MessageId,
        recipient: UserId,
        reason: StateReason,
    },
    /// It is good, and from someone whom the account does not want to hear of.
    Blocked {
        is_typing: bool,
    },
    /// Of a patient case: judged within the transaction, since the key may come in the same page (D163); by its keys
    /// as they stood when it came.
    Case {
        at_ms: u64,
    },
    /// The relay's word on a contact's key, which has been followed already (D10).
    Update,
    Refused(Refusal),
}

pub(crate) fn judge(unlocked: &Unlocked, envelope: &wire::Envelope, senders: &Senders) -> Verdict {
    let now_ms = unlocked.clock.now_ms();
    match judge_as_of(unlocked, envelope, senders, now_ms) {
        Verdict::Message(opened) if senders.is_blocked(&opened.sender) => Verdict::Blocked {
            is_typing: matches!(opened.payload, Payload::Typing(_)),
        },
        verdict => verdict,
    }
}

/// By the keys as they stood at that time.
pub(crate) fn judge_as_of(
    unlocked: &Unlocked,
    envelope: &wire::Envelope,
    senders: &Senders,
    now_ms: u64,
) -> Verdict {
    if let Some(update) = &envelope.contact_update {
        return match updates::verified(unlocked, update) {
            Some(_) => Verdict::Update,
            None => Verdict::Refused(Refusal::BadContactUpdate),
        };
    }
    if let Some(bounce) = &envelope.bounce {
        return judge_bounce(bounce);
    }
    if envelope.case_sealed.is_some() {
        return Verdict::Case { at_ms: now_ms };
    }
    match open(unlocked, envelope, senders, now_ms) {
        Ok(opened) => Verdict::Message(Box::new(opened)),
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
    now_ms: u64,
) -> Result<Opened, Refusal> {
    let header = inbound::read_header(envelope, unlocked.user_id())?;
    if header.timestamp_ms > MAX_INTEGER {
        return Err(Refusal::MalformedEnvelope);
    }
    let me = unlocked.me();
    // What is not for any key of ours is told from what its sender could not have sealed.
    let (mine, retired_ms) = me
        .box_for(header.recipient_key_id)
        .unwrap_or((me.boxed(), None));
    let keys = senders.keys_to_try(mine, &header.sender, now_ms);
    let candidates: Vec<Candidate<'_>> = keys
        .iter()
        .map(|(key, shared, standing)| Candidate {
            box_key: &key.box_key,
            shared,
            standing: *standing,
        })
        .collect();
    let reader = Reader {
        user_id: unlocked.user_id(),
        box_key: &mine.public,
    };
    let mut opened = inbound::open(&header, reader, &candidates)?;
    // Whoever has a key of ours can write to us in anyone's name under it: old ones speak no longer than others' (D24).
    if let Some(retired_ms) = retired_ms {
        if now_ms.saturating_sub(retired_ms) > RETIRED_KEY_MS {
            return Err(Refusal::RetiredKeyExpired);
        }
        opened.retired_key = true;
    }
    if opened.sequence > MAX_INTEGER {
        return Err(Refusal::MalformedInner);
    }
    // Whose group it is shows within the transaction: a roster may come in the same page.
    if opened.group_id.is_none() && matches!(opened.payload, Payload::GroupControl(_)) {
        return Err(Refusal::MisplacedRoster);
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
