//! `apps.*`: the programs that are paired with the daemon.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Access, Needs, method};
use crate::page::{ListParams, Page};
use crate::scope::{self, Scope};

/// A paired app's token: 64 digits of lower-case hex. A secret: it is in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AppToken(String);

impl AppToken {
    pub fn new(token: String) -> Self {
        Self(token)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// For whoever wipes it.
    pub fn into_inner(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for AppToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppToken(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateParams {
    /// For people: 1 to 64 characters.
    pub name: String,
    /// What it may do. An app can only hand on scopes that it has itself.
    pub scopes: Vec<Scope>,
    /// The only user of the host who may use the token; every one that reaches the socket when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub uid: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    pub app_id: String,
    /// Told now and never again.
    pub token: AppToken,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct App {
    pub app_id: String,
    pub name: String,
    #[serde(deserialize_with = "scope::known")]
    pub scopes: Vec<Scope>,
    /// The only user of the host who may use its token; null: every one.
    pub uid: Option<u32>,
    pub created_ms: u64,
    /// Null while it may come in.
    pub revoked_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeParams {
    /// As told by `apps.create` and `apps.list`.
    pub app_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revoked {
    pub app_id: String,
}

method! {
    /// Pairs an app and tells its token, this once.
    Create = "apps.create"(CreateParams) -> Created, Access::Scope(Scope::Admin), Needs::Unlocked, [Invalid]
}
method! {
    /// Every app that was ever paired, in that order.
    List = "apps.list"(ListParams) -> Page<App>, Access::Scope(Scope::Admin), Needs::Unlocked, [Invalid]
}
method! {
    /// Lets an app in no more, and ends its connections.
    Revoke = "apps.revoke"(RevokeParams) -> Revoked, Access::Scope(Scope::Admin), Needs::Unlocked, [Invalid, NotFound]
}
