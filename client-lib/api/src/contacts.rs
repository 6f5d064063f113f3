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
method! {
    /// One contact, as kept here.
    Get = "contacts.get"(UserParams) -> Contact, Access::Scope(Scope::ContactsRead), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// All contacts, by user id.
    List = "contacts.list"(ListParams) -> Page<Contact>, Access::Scope(Scope::ContactsRead), Needs::Unlocked, [Invalid]
}
