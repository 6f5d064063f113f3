//! From what lies in the database to what crosses the socket.

use connect_api::attachments::{Attachment, AttachmentReason, AttachmentState};
use connect_api::contacts::{
    Contact, ContactKey, Contradicted, Contradiction, KeyDecision, KeyState, Trust,
};
use connect_api::conversation::Conversation;
use connect_api::messages::{Auth, Message, MessageState, RecipientState, StateReason};
use connect_api::system::{Integrity, KeyMemory, MemoryHealth, State, StorageTrouble};
use connect_core::attachment::name;
use connect_memory::Kept;
use connect_service::changes::is_vouched_for;
use connect_service::contacts::fingerprint;
use connect_service::session::Phase;
use connect_store::attachments::Attached;
use connect_store::codes::{
    AttachmentReason as StoredAttachmentReason, AttachmentState as StoredAttachmentState,
};
use connect_store::codes::{
    Contradiction as StoredContradiction, GroupChange, KeyDecision as StoredDecision,
    KeyState as StoredKeyState, RecipientState as StoredState, StateReason as StoredReason,
    Trust as StoredTrust,
};
use connect_store::condition::{Integrity as FoundIntegrity, Trouble};
use connect_store::contacts::{Contact as StoredContact, ContactKey as StoredKey};
use connect_store::conversations::Conversation as StoredConversation;
use connect_store::messages::Message as StoredMessage;
use connect_store::recipients::Recipient;

use crate::host::Memory;

pub(crate) fn state(phase: &Phase) -> State {
    match phase {
        Phase::Unenrolled => State::Unenrolled,
        Phase::Locked | Phase::Covered { .. } => State::Locked,
        Phase::Unlocked(_) => State::Unlocked,
        Phase::Revoked => State::Revoked,
    }
}

pub(crate) fn integrity(found: FoundIntegrity) -> Integrity {
    match found {
        FoundIntegrity::Unchecked => Integrity::Unchecked,
        FoundIntegrity::Checking => Integrity::Checking,
        FoundIntegrity::Ok => Integrity::Ok,
        FoundIntegrity::Damaged => Integrity::Damaged,
    }
}

pub(crate) fn trouble(trouble: Trouble) -> StorageTrouble {
    match trouble {
        Trouble::Full => StorageTrouble::StorageFull,
        Trouble::Failed => StorageTrouble::StorageFailed,
    }
}

pub(crate) fn memory(found: Memory) -> MemoryHealth {
    MemoryHealth {
        // What was tried at the start is no promise for keys that came later.
        keys: match found.keys.max(connect_memory::worst()) {
            Kept::Secret => KeyMemory::Secret,
            Kept::Locked => KeyMemory::Locked,
            Kept::Swappable => KeyMemory::Swappable,
        },
        locked: found.all_locked,
        wiped: found.heap_wiped,
    }
}

pub(crate) fn conversation(stored: &StoredConversation) -> Conversation {
    match stored {
        StoredConversation::User(user) => Conversation::User(user.to_string()),
        StoredConversation::Group(group) => Conversation::Group(group.to_string()),
        StoredConversation::Case(case) => Conversation::Case(case.to_string()),
    }
}

pub(crate) fn contact(stored: StoredContact) -> Contact {
    Contact {
        key: stored.active_key().map(|key| hex::encode(key.digest)),
        keys: stored
            .keys
            .iter()
            .map(|key| contact_key(&stored, key))
            .collect(),
        contradiction: stored.contradiction.map(|(how, since_ms)| Contradicted {
            how: contradiction(how),
            since_ms,
        }),
        fingerprint: fingerprint(&stored),
        user_id: stored.user_id.into_string(),
        display_name: stored.display_name,
        profession: stored.profession,
        organisation: stored.organisation,
        attested: stored.attested,
        trust: trust(stored.trust),
        added_ms: stored.added_ms,
        blocked: stored.blocked,
    }
}

fn contact_key(contact: &StoredContact, key: &StoredKey) -> ContactKey {
    ContactKey {
        key: hex::encode(key.digest),
        revision: key.revision,
        state: key_state(key.state),
        changed_ms: key.changed_ms,
        countersigned: is_vouched_for(contact, key),
        decision: key.decided().map(decision),
        decided_ms: key.decision.map(|decision| decision.at_ms),
    }
}

pub(crate) fn trust(stored: StoredTrust) -> Trust {
    match stored {
        StoredTrust::Unknown => Trust::Unknown,
        StoredTrust::Seen => Trust::Seen,
        StoredTrust::Verified => Trust::Verified,
        StoredTrust::Changed => Trust::Changed,
        StoredTrust::Revoked => Trust::Revoked,
    }
}

pub(crate) fn key_state(stored: StoredKeyState) -> KeyState {
    match stored {
        StoredKeyState::Active => KeyState::Active,
        StoredKeyState::Replaced => KeyState::Replaced,
        StoredKeyState::Revoked => KeyState::Revoked,
        StoredKeyState::Compromised => KeyState::Compromised,
    }
}

fn decision(stored: StoredDecision) -> KeyDecision {
    match stored {
        StoredDecision::Compared => KeyDecision::Compared,
        StoredDecision::Organisation => KeyDecision::Organisation,
        StoredDecision::Accepted => KeyDecision::Accepted,
        StoredDecision::Rejected => KeyDecision::Rejected,
    }
}

pub(crate) fn contradiction(stored: StoredContradiction) -> Contradiction {
    match stored {
        StoredContradiction::Malformed => Contradiction::Malformed,
        StoredContradiction::BadBundle => Contradiction::BadBundle,
        StoredContradiction::BrokenChain => Contradiction::BrokenChain,
        StoredContradiction::RolledBack => Contradiction::RolledBack,
        StoredContradiction::Forked => Contradiction::Forked,
    }
}

pub(crate) fn message(stored: StoredMessage) -> Message {
    Message {
        message_id: stored.message_id.to_string(),
        conversation: conversation(&stored.conversation),
        author: stored.sender.into_string(),
        outgoing: stored.outgoing,
        text: stored.text,
        sent_ms: stored.timestamp_ms,
        stored_ms: stored.stored_ms,
        reply_to: stored.reply_to.map(|id| id.to_string()),
        client_ref: stored.client_ref,
        edited_ms: stored.edited_ms,
        deleted_ms: stored.deleted_ms,
        auth: if stored.retired_key {
            Auth::RetiredKey
        } else {
            Auth::Current
        },
        attachment: stored.attachment.map(attached),
        state: least_advanced(&stored.recipients),
        recipients: stored.recipients.into_iter().map(recipient).collect(),
    }
}

pub(crate) fn attached(stored: Attached) -> Attachment {
    Attachment {
        attachment_id: stored.attachment_id.to_string(),
        safe_name: name::for_display(&stored.filename),
        filename: stored.filename,
        media_type: stored.media_type,
        size: stored.size,
        has_thumbnail: stored.has_thumbnail,
        state: attachment_state(stored.state),
        reason: stored.reason.map(attachment_reason),
    }
}

fn attachment_state(stored: StoredAttachmentState) -> AttachmentState {
    match stored {
        StoredAttachmentState::Incomplete => AttachmentState::Incomplete,
        StoredAttachmentState::Sealed => AttachmentState::Sealed,
        StoredAttachmentState::Uploading => AttachmentState::Uploading,
        StoredAttachmentState::Available => AttachmentState::Available,
        StoredAttachmentState::Downloading => AttachmentState::Downloading,
        StoredAttachmentState::Ready => AttachmentState::Ready,
        StoredAttachmentState::Failed => AttachmentState::Failed,
        StoredAttachmentState::Cancelled => AttachmentState::Cancelled,
    }
}

pub(crate) fn attachment_reason(stored: StoredAttachmentReason) -> AttachmentReason {
    match stored {
        StoredAttachmentReason::Expired => AttachmentReason::Expired,
        StoredAttachmentReason::ChunkSize => AttachmentReason::ChunkSize,
        StoredAttachmentReason::ChunkDamaged => AttachmentReason::ChunkDamaged,
        StoredAttachmentReason::DigestMismatch => AttachmentReason::DigestMismatch,
        StoredAttachmentReason::FileDamaged => AttachmentReason::FileDamaged,
        StoredAttachmentReason::StorageFull => AttachmentReason::StorageFull,
        StoredAttachmentReason::StorageFailed => AttachmentReason::StorageFailed,
        StoredAttachmentReason::IdConflict => AttachmentReason::IdConflict,
        StoredAttachmentReason::TooLarge => AttachmentReason::TooLarge,
        StoredAttachmentReason::UnknownReader => AttachmentReason::UnknownReader,
        StoredAttachmentReason::Refused => AttachmentReason::Refused,
        StoredAttachmentReason::Cancelled => AttachmentReason::Cancelled,
        StoredAttachmentReason::Withdrawn => AttachmentReason::Withdrawn,
    }
}

fn recipient(stored: Recipient) -> RecipientState {
    RecipientState {
        user_id: stored.user_id.into_string(),
        state: message_state(stored.state),
        reason: stored.reason.map(reason),
        changed_ms: stored.changed_ms,
    }
}

/// What went wrong for one recipient is told before what went well for the others.
fn least_advanced(recipients: &[Recipient]) -> MessageState {
    const ORDER: [StoredState; 6] = [
        StoredState::Failed,
        StoredState::Held,
        StoredState::Queued,
        StoredState::Sent,
        StoredState::Delivered,
        StoredState::Read,
    ];
    ORDER
        .into_iter()
        .find(|state| recipients.iter().any(|recipient| recipient.state == *state))
        .map_or(MessageState::Received, message_state)
}

pub(crate) fn message_state(stored: StoredState) -> MessageState {
    match stored {
        StoredState::Queued => MessageState::Queued,
        StoredState::Held => MessageState::Held,
        StoredState::Sent => MessageState::Sent,
        StoredState::Delivered => MessageState::Delivered,
        StoredState::Read => MessageState::Read,
        StoredState::Failed => MessageState::Failed,
    }
}

pub(crate) fn reason(stored: StoredReason) -> StateReason {
    match stored {
        StoredReason::KeyChanged => StateReason::KeyChanged,
        StoredReason::KeyRevoked => StateReason::KeyRevoked,
        StoredReason::KeyRejected => StateReason::KeyRejected,
        StoredReason::MailboxFull => StateReason::MailboxFull,
        StoredReason::IdConflict => StateReason::IdConflict,
        StoredReason::TooLarge => StateReason::TooLarge,
        StoredReason::UnknownRecipient => StateReason::UnknownRecipient,
        StoredReason::Refused => StateReason::Refused,
        StoredReason::Expired => StateReason::Expired,
        StoredReason::RecipientDeleted => StateReason::RecipientDeleted,
        StoredReason::NotAMember => StateReason::NotAMember,
        StoredReason::TooLate => StateReason::TooLate,
        StoredReason::Withdrawn => StateReason::Withdrawn,
    }
}

pub(crate) const fn group_change(change: GroupChange) -> connect_api::events::GroupChange {
    use connect_api::events::GroupChange as Told;
    match change {
        GroupChange::Joined => Told::Joined,
        GroupChange::Renamed => Told::Renamed,
        GroupChange::Added => Told::Added,
        GroupChange::Removed => Told::Removed,
        GroupChange::Left => Told::Left,
        GroupChange::Promoted => Told::Promoted,
        GroupChange::Disagreement => Told::Disagreement,
    }
}
