//! `rpc.*`: the contract itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::method::{Access, Needs, method};
use crate::page::Nothing;

// Its JSON as it stands: taken apart it is many times as large, and the daemon hands it out to whoever asks.
/// The OpenRPC document.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Document(#[schemars(with = "Value")] pub Box<RawValue>);

impl Document {
    /// Taken apart.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

method! {
    /// The contract as an OpenRPC document.
    Discover = "rpc.discover"(Nothing) -> Document, Access::Authenticated, Needs::Nothing, []
}
