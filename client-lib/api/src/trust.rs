//! `trust.*`: whether a contact's key is the person's own (D25, D26).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contacts::{Contact, UserParams};
use crate::method::{Access, Needs, method};
use crate::page::{ListParams, Page};
use crate::scope::Scope;

/// What two people compare. Both see the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Digits {
    /// Sixty digits in twelve groups of five, with spaces in between; the lower side first.
    pub digits: String,
    /// The same sixty digits without spaces: the content of a QR code.
    pub qr: String,
}

/// Either `digits` or `qr`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompareParams {
    /// 1 to 64 letters of English, digits and `._-@+:`.
    pub user_id: String,
    /// What the other one reads out: sixty digits, however they are grouped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digits: Option<String>,
    /// What the other one's QR code says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub qr: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// They are the same, and the contact is verified. False changes nothing.
    pub verified: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// What waits goes out under the key. The contact is `seen` until its digits are compared.
    Accept,
    /// What waits fails. Nothing is sent to the key, and what comes under it is put aside.
    Reject,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideParams {
    /// 1 to 64 letters of English, digits and `._-@+:`.
    pub user_id: String,
    /// About the key that the contact has now.
    pub decision: Decision,
    /// The `key` of the contact that was looked at: where it has another one by now, nothing is decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
}

/// A contact whose key waits for a decision, or was decided against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pending {
    pub contact: Contact,
    /// Messages, receipts and edits that wait.
    pub held: u64,
}

/// A file in which an organisation says whose keys are whose: an object with these two members.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedVerification {
    /// A `Verification` as JSON, exactly the text that was signed.
    pub statement: String,
    /// 128 digits of hex: Ed25519 over `0x00 || "connect/verification/v1" || 0x00 || statement`.
    pub signature: String,
}

impl fmt::Debug for SignedVerification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedVerification(..)")
    }
}

/// What an organisation states.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// Its name, for people.
    pub organisation: String,
    /// Rises with every file of the same key: an older one is refused.
    pub serial: u64,
    /// Milliseconds since the epoch.
    pub issued_ms: u64,
    /// Milliseconds since the epoch; then it is refused.
    pub valid_until_ms: u64,
    pub entries: Vec<VerificationEntry>,
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verification({})", self.serial)
    }
}

/// Whose key: either by its `key` or by its `fingerprint`, as `contacts.get` tells them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerificationEntry {
    pub user_id: String,
    /// 64 digits of hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    /// Thirty digits, however they are grouped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<String>,
}

impl fmt::Debug for VerificationEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerificationEntry(..)")
    }
}

/// What an entry of such a file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportOutcome {
    Verified,
    /// It was verified before.
    Already,
    UnknownContact,
    /// The contact has another key than the organisation says.
    OtherKey,
    /// The contact has no key that is in use.
    Revoked,
    /// Somebody decided against the key: that takes `trust.decide` or `trust.compare` to undo.
    Rejected,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportedEntry {
    pub user_id: String,
    pub outcome: ImportOutcome,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    pub organisation: String,
    pub serial: u64,
    /// How many are verified now that were not before.
    pub verified: u64,
    /// One for each entry of the file, in its order.
    pub entries: Vec<ImportedEntry>,
}

impl fmt::Debug for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Imported({})", self.serial)
    }
}

method! {
    /// The digits that two people compare, of the keys that they have now.
    Fingerprint = "trust.fingerprint"(UserParams) -> Digits, Access::Scope(Scope::ContactsRead), Needs::Unlocked, [Invalid, NotFound, KeyRevoked]
}
method! {
    /// Compares what the other one shows with what is shown here. Where it is the same the contact is verified, and what waited for a decision goes out.
    Compare = "trust.compare"(CompareParams) -> Compared, Access::Scope(Scope::TrustDecide), Needs::Unlocked, [Invalid, NotFound, KeyRevoked]
}
method! {
    /// Decides about the key that a contact has now.
    Decide = "trust.decide"(DecideParams) -> Contact, Access::Scope(Scope::TrustDecide), Needs::Unlocked, [Invalid, NotFound, KeyRevoked, RevisionConflict]
}
method! {
    /// Contacts whose key waits for a decision or was decided against, by user id.
    ListPending = "trust.pending"(ListParams) -> Page<Pending>, Access::Scope(Scope::TrustDecide), Needs::Unlocked, [Invalid]
}
method! {
    /// Verifies many contacts on the word of an organisation whose key is in the daemon's configuration.
    Import = "trust.import"(SignedVerification) -> Imported, Access::Scope(Scope::TrustDecide), Needs::Unlocked, [Invalid, RevisionConflict]
}
