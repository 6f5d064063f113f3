//! The generated wire types of `schema/connect.proto`, each with a `Debug` that tells nothing.
#![expect(
    clippy::pedantic,
    missing_debug_implementations,
    reason = "generated code"
)]

include!(concat!(env!("OUT_DIR"), "/connect.v1.rs"));

macro_rules! silent_debug {
    ($($name:ident)*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

silent_debug! {
    SignatureHeader KeyBundle SignedKeyBundle Profile DirectoryEntry PublishedKey EnrollRequest EnrollResponse
    LookupRequest SearchRequest DirectoryEntries Envelope Bounce Sealed CaseSealed Ack AckEntry EnvelopeList
    ContactUpdate ContactUpdateStatement CreateAttachment SignedInner Inner MessageRef Text Typing Receipt
    Edit Delete ResendRequest Attachment Member GroupControl CaseControl CaseKeyShare CaseLog EpochKey CaseField
    AttachmentCopy
}
