//! Every way in which an inbound message can be refused, by name. A refused message is kept and acknowledged (D19).

macro_rules! refusals {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal),* $(,)?) => {
        /// Why an inbound message went to quarantine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Refusal {
            $($(#[doc = $doc])+ $variant),*
        }

        impl Refusal {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As in the database and in `message_quarantined` events.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

refusals! {
    /// An id, size or field of the envelope is not what the schema says.
    MalformedEnvelope = "malformed_envelope",
    /// The envelope carries no box for this user.
    NotAddressedToMe = "not_addressed_to_me",
    /// A nonce is not 24 bytes long (D1).
    BadNonce = "bad_nonce",
    /// A group's or patient case's message, whose roster this version does not know.
    UnsupportedEnvelope = "unsupported_envelope",
    /// The directory has no keys for the sender.
    UnknownSender = "unknown_sender",
    /// The hint names a key that the directory does not have for the sender.
    UnknownSenderKey = "unknown_sender_key",
    /// The hint names a key that is not ours.
    UnknownRecipientKey = "unknown_recipient_key",
    /// No key of the sender opens the box.
    CannotOpen = "cannot_open",
    /// The padding is not what D6 makes.
    BadPadding = "bad_padding",
    /// What was inside cannot be decoded, or an id or size in it is wrong.
    MalformedInner = "malformed_inner",
    /// The content is of a version that this daemon does not know.
    UnsupportedVersion = "unsupported_version",
    /// The content repeats another envelope than the one it came in (D7).
    BindingMismatch = "binding_mismatch",
    /// The content is of a kind that this daemon does not know.
    UnsupportedPayload = "unsupported_payload",
    /// The content breaks a rule of its kind, such as a text's length.
    MalformedPayload = "malformed_payload",
    /// The sender's key was revoked as compromised (D24).
    CompromisedKey = "compromised_key",
    /// The sender's key was replaced more than 30 days ago (D24).
    RetiredKeyExpired = "retired_key_expired",
    /// The relay's contact update does not verify, or goes back in time (D10).
    BadContactUpdate = "bad_contact_update",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> = Refusal::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Refusal::ALL.len());
    }
}
