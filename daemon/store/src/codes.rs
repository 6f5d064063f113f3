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
        MailboxFull = "mailbox_full",
        IdConflict = "id_conflict",
        TooLarge = "too_large",
        UnknownRecipient = "unknown_recipient",
        Refused = "refused",
        Withdrawn = "withdrawn",
        Expired = "expired",
        RecipientDeleted = "recipient_deleted",
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
        ContactChanged = "contact_changed",
        KeyChanged = "key_changed",
        SessionLocked = "session_locked",
        SessionUnlocked = "session_unlocked",
        RelayReachable = "relay_reachable",
        RelayUnreachable = "relay_unreachable",
        InstallationRevoked = "installation_revoked",
    }
}
