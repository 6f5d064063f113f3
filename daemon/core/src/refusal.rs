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
    /// What is said of an attachment cannot be read: an id, key, digest or chunk size is not what D15 says.
    MalformedAttachment = "malformed_attachment",
    /// An attachment claims more bytes than any may have.
    AttachmentTooLarge = "attachment_too_large",
    /// An attachment's number of chunks is not what its size makes.
    AttachmentSizesDisagree = "attachment_sizes_disagree",
    /// An attachment's thumbnail is longer than 16 KiB.
    ThumbnailTooLarge = "thumbnail_too_large",
    /// An attachment's file name, media type or caption is too long.
    AttachmentNameTooLong = "attachment_name_too_long",
    /// The sender's key was revoked as compromised (D24).
    CompromisedKey = "compromised_key",
    /// The sender's key was replaced more than 30 days ago (D24).
    RetiredKeyExpired = "retired_key_expired",
    /// The sender's key was revoked, and the message says that it was written after that.
    RevokedKey = "revoked_key",
    /// Somebody here decided against the sender's key (D25).
    RejectedKey = "rejected_key",
    /// No key of this patient case came here.
    UnknownCase = "unknown_case",
    /// The case is known, and no key of the epoch that the entry is sealed under.
    UnknownEpoch = "unknown_epoch",
    /// An entry under an epoch that another one took the place of 24 hours ago (D16).
    OldEpoch = "old_epoch",
    /// The signature inside is not that of the author whom the entry names (D14).
    BadSignature = "bad_signature",
    /// The author is, or was, no participant of the case by the roster that the entry names.
    NotAParticipant = "not_a_participant",
    /// The author may not make this change to the case.
    NotAllowed = "not_allowed",
    /// The case was closed before it was written.
    CaseClosed = "case_closed",
    /// A change of the case does not follow on one that is known.
    BrokenControlChain = "broken_control_chain",
    /// A field's content does not follow on one that is known.
    BrokenFieldChain = "broken_field_chain",
    /// A share of case keys does not fit to what is known, or is not from a participant.
    BadKeyShare = "bad_key_share",
    /// A key, or a change of the case, is of an epoch beyond those that a case may have.
    TooManyEpochs = "too_many_epochs",
    /// A message to a group that is not known here, or that this user has left (D17).
    UnknownGroup = "unknown_group",
    /// The sender is not in the roster of the group (D17).
    NotAMember = "not_a_member",
    /// Somebody who is no admin wrote a roster (D17).
    NotAnAdmin = "not_an_admin",
    /// A roster does not follow one that is known here (D17).
    RosterOutOfChain = "roster_out_of_chain",
    /// A roster that comes outside of its group, or to somebody whom it does not name (D17).
    MisplacedRoster = "misplaced_roster",
    /// The relay's contact update does not verify (D10).
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
