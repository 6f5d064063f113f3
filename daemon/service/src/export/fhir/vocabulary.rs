//! The names that an export adds to FHIR's own, and the few of FHIR's code systems that it uses (`docs/export.md`).

/// What the bundle is of, and as of when.
pub(super) const EXPORT: &str = "urn:x-connect:export";
/// `user`, `group` or `case`.
pub(super) const CONVERSATION: &str = "urn:x-connect:conversation";
/// How far a message has come at a recipient.
pub(super) const DELIVERY: &str = "urn:x-connect:delivery";
/// Why a message is held or was given up.
pub(super) const STATE_REASON: &str = "urn:x-connect:state-reason";
/// A text that a message had before.
pub(super) const EARLIER_TEXT: &str = "urn:x-connect:earlier-text";
/// The organisation vouched at enrollment for what the person says of themselves.
pub(super) const ATTESTED: &str = "urn:x-connect:attested";
/// How well the author's key is known when the export is made.
pub(super) const KEY_STANDING: &str = "urn:x-connect:key-standing";
/// Which of the author's keys it came under.
pub(super) const SENT_UNDER: &str = "urn:x-connect:sent-under";
/// Whether the author's signature of a case's entry holds.
pub(super) const SIGNATURE: &str = "urn:x-connect:signature";
/// A file's size, where it is more than FHIR's own element holds.
pub(super) const SIZE: &str = "urn:x-connect:size";
/// Who set a field, and when.
pub(super) const SET: &str = "urn:x-connect:set";

pub(super) const PARTICIPANT_TYPE: &str =
    "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
pub(super) const DATA_OPERATION: &str = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";
