//! `rpc.*`: the contract itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Access, Needs, method};
use crate::page::Nothing;

/// The OpenRPC document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Document(pub serde_json::Value);

method! {
    /// The contract as an OpenRPC document.
    Discover = "rpc.discover"(Nothing) -> Document, Access::Authenticated, Needs::Nothing, []
}
