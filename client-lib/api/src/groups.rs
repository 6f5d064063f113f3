//! `groups.*`: conversations of several people, whose roster their admins write (§8.2.1, D17).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Access, Needs, method};
use crate::page::{ListParams, Page};
use crate::scope::Scope;

/// Whether this user is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Member,
    /// What was said before stays, and nothing comes any more.
    Left,
    Removed,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Member,
    /// May change the group's name and roster.
    Admin,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    pub user_id: String,
    pub role: Role,
    /// The revision with which the member came in; of whoever was there before this user, one before that of this user.
    pub since_revision: u64,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Member(..)")
    }
}

/// A group as it is known here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// 32 digits of hex; as a conversation it is `{"group": id}`.
    pub group: String,
    pub name: String,
    /// Rises by one with every change.
    pub revision: u64,
    /// SHA-256 of the roster: members who see the same one go by the same roster.
    pub digest: String,
    /// Of this user.
    pub standing: Standing,
    pub changed_ms: u64,
    /// By user id, this user included.
    pub members: Vec<Member>,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.group)
    }
}

/// A group in the list of groups.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    pub group: String,
    pub name: String,
    pub revision: u64,
    pub standing: Standing,
    /// How many are in it.
    pub members: u64,
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Summary({})", self.group)
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateParams {
    /// 1 to 256 bytes of UTF-8, in one line.
    pub name: String,
    /// Up to 511 others. Whoever is no contact yet becomes one.
    pub members: Vec<String>,
}

impl fmt::Debug for CreateParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CreateParams(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupParams {
    /// The group's id: 32 digits of hex.
    pub group: String,
}

/// What is left out stays as it is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateParams {
    /// The group's id: 32 digits of hex.
    pub group: String,
    /// 1 to 256 bytes of UTF-8, in one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Who is to come in. They see nothing of what was said before.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub add: Vec<String>,
    /// Who is to go. What they have got stays with them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub remove: Vec<String>,
    /// Members who are to be admins, those in `add` included.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub promote: Vec<String>,
}

impl fmt::Debug for UpdateParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UpdateParams({})", self.group)
    }
}

method! {
    /// Makes a group of this user, who is its admin, and others. They are told.
    Create = "groups.create"(CreateParams) -> Group, Access::Scope(Scope::GroupsWrite), Needs::Unlocked, [Invalid, UnknownContact, RateLimited, RelayUnreachable, RelayRefused, PinMismatch]
}
method! {
    /// A group with its roster.
    Get = "groups.get"(GroupParams) -> Group, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid, NotFound]
}
method! {
    /// Every group that this user is in or was, by id.
    List = "groups.list"(ListParams) -> Page<Summary>, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid]
}
method! {
    /// Changes a group's name and roster, as one of its admins. Everyone whom it is about is told.
    Update = "groups.update"(UpdateParams) -> Group, Access::Scope(Scope::GroupsWrite), Needs::Unlocked, [Invalid, NotFound, NotAParticipant, UnknownContact, RateLimited, RelayUnreachable, RelayRefused, PinMismatch]
}
method! {
    /// Leaves a group. What was said stays; the last admin leaves it to whoever has been in it for the longest.
    Leave = "groups.leave"(GroupParams) -> Group, Access::Scope(Scope::GroupsWrite), Needs::Unlocked, [Invalid, NotFound, NotAParticipant, RateLimited]
}
