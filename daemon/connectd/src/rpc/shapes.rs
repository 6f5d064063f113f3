//! From what lies in the database to what crosses the socket.

use connect_api::contacts::{Contact, Trust};
use connect_api::conversation::Conversation;
use connect_api::messages::{Auth, Message, MessageState, RecipientState, StateReason};
use connect_api::system::{Integrity, KeyMemory, MemoryHealth, State, StorageTrouble};
use connect_memory::Kept;
use connect_service::contacts::fingerprint;
use connect_service::session::Phase;
use connect_store::codes::{
    RecipientState as StoredState, StateReason as StoredReason, Trust as StoredTrust,
};
use connect_store::condition::{Integrity as FoundIntegrity, Trouble};
use connect_store::contacts::Contact as StoredContact;
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
        fingerprint: fingerprint(&stored),
        user_id: stored.user_id.into_string(),
        display_name: stored.display_name,
        profession: stored.profession,
        organisation: stored.organisation,
        attested: stored.attested,
        trust: match stored.trust {
            StoredTrust::Unknown => Trust::Unknown,
            StoredTrust::Seen => Trust::Seen,
            StoredTrust::Verified => Trust::Verified,
            StoredTrust::Changed => Trust::Changed,
            StoredTrust::Revoked => Trust::Revoked,
        },
        added_ms: stored.added_ms,
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
        state: least_advanced(&stored.recipients),
        recipients: stored.recipients.into_iter().map(recipient).collect(),
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
        StoredReason::MailboxFull => StateReason::MailboxFull,
        StoredReason::IdConflict => StateReason::IdConflict,
        StoredReason::TooLarge => StateReason::TooLarge,
        StoredReason::UnknownRecipient => StateReason::UnknownRecipient,
        StoredReason::Refused => StateReason::Refused,
        StoredReason::Expired => StateReason::Expired,
        StoredReason::RecipientDeleted => StateReason::RecipientDeleted,
        StoredReason::Withdrawn => StateReason::Withdrawn,
    }
}
