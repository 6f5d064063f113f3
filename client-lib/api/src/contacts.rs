//! `contacts.*`: the people that the account may write to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Access, Needs, method};
use crate::page::{ListParams, Page};
use crate::scope::Scope;

/// How well a contact's key is known (D25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    Unknown,
    Seen,
    Verified,
    Changed,
    Revoked,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// What the directory, or the relay's signed word, says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Active,
    /// Another one took its place.
    Replaced,
    Revoked,
    /// Revoked, because somebody else may have it.
    Compromised,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// What was decided here about a key (D25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyDecision {
    /// Verified: two people compared their digits.
    Compared,
    /// Verified on an organisation's word.
    Organisation,
    /// Accepted without a comparison.
    Accepted,
    Rejected,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// How the directory contradicts itself or what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// It says what makes no sense.
    Malformed,
    /// A key in it is not signed as it has to be.
    BadBundle,
    /// Its keys do not follow each other.
    BrokenChain,
    /// It has older keys than before, lacks one that the relay signed for, or says that a revoked one is in use again.
    RolledBack,
    /// It has another key in the place of a known one.
    Forked,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// A key of a contact, in use or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContactKey {
    /// SHA-256 of the bundle that published it: 64 digits of hex.
    pub key: String,
    pub revision: u64,
    pub state: KeyState,
    /// Since when it is in that state.
    pub changed_ms: u64,
    /// The key before signed for it, and that one was not compromised.
    pub countersigned: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<KeyDecision>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided_ms: Option<u64>,
}

/// Since when the directory is not followed where it contradicts what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contradicted {
    pub how: Contradiction,
    pub since_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserParams {
    /// 1 to 64 letters of English, digits and `._-@+:`.
    pub user_id: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contact {
    pub user_id: String,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    /// An operator checked the profile; this is not "verified" (D25).
    pub attested: bool,
    pub trust: Trust,
    /// The contact's half of the digits that two people compare (D26); null while no key is known.
    pub fingerprint: Option<String>,
    pub added_ms: u64,
    /// Nothing of theirs is taken in, and nothing goes to them. An older daemon blocks nobody.
    #[serde(default)]
    pub blocked: bool,
    /// The key that is in use, as in `keys`; null where there is none.
    #[serde(default)]
    pub key: Option<String>,
    /// All that are known, the newest first.
    #[serde(default)]
    pub keys: Vec<ContactKey>,
    /// The directory contradicts what is known of the contact: its keys stay as they are here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contradiction: Option<Contradicted>,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(..)")
    }
}

method! {
    /// Looks a user up in the relay's directory, checks the keys, and keeps the contact.
    Add = "contacts.add"(UserParams) -> Contact, Access::Scope(Scope::ContactsWrite), Needs::Unlocked, [Invalid, NotFound, RelayUnreachable, RelayRefused, PinMismatch, RateLimited]
}
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchParams {
    /// A part of a name, profession or organisation: 1 to 256 bytes. The relay may ask for more than one letter.
    pub query: String,
    /// 1 to 50; 20 when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
}

impl fmt::Debug for SearchParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SearchParams(..)")
    }
}

/// Someone in the relay's directory. `contacts.add` makes a contact of them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundUser {
    pub user_id: String,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    /// An operator checked the profile; this is not "verified" (D25).
    pub attested: bool,
    pub is_contact: bool,
}

impl fmt::Debug for FoundUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FoundUser(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlockParams {
    /// A contact, or one who was taken off the list.
    pub user_id: String,
    /// False takes in what was put aside meanwhile.
    pub blocked: bool,
}

method! {
    /// Looks for people in the relay's directory. Whoever is found is not a contact yet; `next` is always null.
    Search = "contacts.search"(SearchParams) -> Page<FoundUser>, Access::Scope(Scope::ContactsRead), Needs::Unlocked, [Invalid, RelayUnreachable, RelayRefused, PinMismatch, RateLimited]
}
method! {
    /// Takes a contact off the list. The conversation stays, and whoever writes is a contact again.
    Remove = "contacts.remove"(UserParams) -> Contact, Access::Scope(Scope::ContactsWrite), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// Blocks a contact, or unblocks it: what comes meanwhile is kept aside, unanswered, and sends are refused.
    Block = "contacts.block"(BlockParams) -> Contact, Access::Scope(Scope::ContactsWrite), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// One contact, as kept here.
    Get = "contacts.get"(UserParams) -> Contact, Access::Scope(Scope::ContactsRead), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// All contacts, by user id.
    List = "contacts.list"(ListParams) -> Page<Contact>, Access::Scope(Scope::ContactsRead), Needs::Unlocked, [Invalid]
}
