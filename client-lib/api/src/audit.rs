//! `audit.*`: who did what to what, with which outcome. No content, and no ids of people or messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Access, Needs, method};
use crate::page::{Nothing, Page};
use crate::scope::Scope;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// 1, 2, 3 … without a hole.
    pub entry: u64,
    /// When it was done; the first and the last time where it was done more than once.
    pub first_ms: u64,
    pub last_ms: u64,
    pub count: u64,
    /// `owner` or an app's id; null: nobody who had shown who it is.
    pub app: Option<String>,
    /// The user of the host; null where several are counted together.
    pub uid: Option<u32>,
    /// Its process, where one alone did it.
    pub pid: Option<u32>,
    /// `?`: one that is in no contract. `*`: several.
    pub method: String,
    /// What it was done to: the same thing has the same pseudonym in every entry of this installation.
    pub object: Option<String>,
    /// `ok`, the name of an error, or `given_up` where the caller did not wait for the end.
    pub outcome: String,
    /// SHA-256 over this entry and the hash of the one before.
    pub hash: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// Entries after this one; from the first when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<u64>,
    /// 1 to 500; 50 when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    pub intact: bool,
    /// How many entries hold, from the first one on.
    pub entries: u64,
    /// The hash of the last one that holds. Keep it elsewhere: a log that was written anew as a whole has another.
    pub head: String,
    /// Where the chain breaks; null where it does not.
    pub broken: Option<Broken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Broken {
    pub entry: u64,
    pub how: Breach,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breach {
    /// The entry, or its hash, is not what was written.
    Changed,
    Missing,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

method! {
    /// The audit log, oldest first.
    List = "audit.list"(ListParams) -> Page<Entry, u64>, Access::Scope(Scope::AuditRead), Needs::Unlocked, [Invalid]
}
method! {
    /// Reads the whole audit log and tells whether an entry was changed or is missing.
    Verify = "audit.verify"(Nothing) -> Verdict, Access::Scope(Scope::AuditRead), Needs::Unlocked, []
}
