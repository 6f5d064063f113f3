//! The words that stand in the database's text columns.

use crate::error::StoreError;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($variant),* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            pub(crate) fn read(word: &str) -> Result<Self, StoreError> {
                match word {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(StoreError::Inconsistent(stringify!($name))),
                }
            }
        }
    };
}

words! {
    /// How well a contact's key is known (D25).
    Trust { Unknown = "unknown", Seen = "seen", Verified = "verified", Changed = "changed", Revoked = "revoked" }
}
words! {
    /// What the directory says of a key.
    KeyState { Active = "active", Replaced = "replaced", Revoked = "revoked", Compromised = "compromised" }
}
words! {
    /// What was decided here about a contact's key (D25): by a comparison, on an organisation's word, or without either.
    KeyDecision { Compared = "compared", Organisation = "organisation", Accepted = "accepted", Rejected = "rejected" }
}
words! {
    /// How a directory contradicts itself or what is known.
    Contradiction {
        Malformed = "malformed",
        BadBundle = "bad_bundle",
        BrokenChain = "broken_chain",
        RolledBack = "rolled_back",
        Forked = "forked",
    }
}
words! {
    /// What has become of a message for one recipient (D20).
    RecipientState {
        Queued = "queued", Held = "held", Sent = "sent", Delivered = "delivered", Read = "read", Failed = "failed",
    }
}
words! {
    /// Why a message is held or failed.
    StateReason {
        KeyChanged = "key_changed",
        KeyRevoked = "key_revoked",
        KeyRejected = "key_rejected",
        MailboxFull = "mailbox_full",
        IdConflict = "id_conflict",
        TooLarge = "too_large",
        UnknownRecipient = "unknown_recipient",
        Refused = "refused",
        Withdrawn = "withdrawn",
        Expired = "expired",
        RecipientDeleted = "recipient_deleted",
        NotAMember = "not_a_member",
        TooLate = "too_late",
    }
}
words! {
    /// How far an attachment is (D15).
    AttachmentState {
        Incomplete = "incomplete", Sealed = "sealed", Uploading = "uploading", Available = "available",
        Downloading = "downloading", Ready = "ready", Failed = "failed", Cancelled = "cancelled",
    }
}
words! {
    /// Why an attachment failed or was cancelled.
    AttachmentReason {
        Expired = "expired",
        ChunkSize = "chunk_size",
        ChunkDamaged = "chunk_damaged",
        DigestMismatch = "digest_mismatch",
        FileDamaged = "file_damaged",
        StorageFull = "storage_full",
        StorageFailed = "storage_failed",
        IdConflict = "id_conflict",
        TooLarge = "too_large",
        UnknownReader = "unknown_reader",
        Refused = "refused",
        Cancelled = "cancelled",
        Withdrawn = "withdrawn",
    }
}
words! {
    /// Whether this user is in a group.
    GroupStanding { Member = "member", Left = "left", Removed = "removed" }
}
words! {
    /// What of a group is other than before.
    GroupChange {
        Joined = "joined",
        Renamed = "renamed",
        Added = "added",
        Removed = "removed",
        Left = "left",
        Promoted = "promoted",
        Disagreement = "disagreement",
    }
}
words! {
    ConversationKind { User = "user", Group = "group", Case = "case" }
}
words! {
    /// What an event tells.
    EventKind {
        MessageReceived = "message_received",
        MessageState = "message_state",
        MessageEdited = "message_edited",
        MessageDeleted = "message_deleted",
        MessageMissing = "message_missing",
        MessageQuarantined = "message_quarantined",
        MessageConflict = "message_conflict",
        Typing = "typing",
        AttachmentProgress = "attachment_progress",
        AttachmentReady = "attachment_ready",
        AttachmentFailed = "attachment_failed",
        ContactChanged = "contact_changed",
        KeyChanged = "key_changed",
        KeyChangeHold = "key_change_hold",
        KeyRevoked = "key_revoked",
        DirectoryContradiction = "directory_contradiction",
        GroupChanged = "group_changed",
        CaseChanged = "case_changed",
        CaseFieldChanged = "case_field_changed",
        CaseConflict = "case_conflict",
        SessionLocked = "session_locked",
        SessionUnlocked = "session_unlocked",
        RelayReachable = "relay_reachable",
        RelayUnreachable = "relay_unreachable",
        InstallationRevoked = "installation_revoked",
    }
}
