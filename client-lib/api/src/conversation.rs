//! How a conversation is named, wherever one is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A conversation, wherever one is named: `{"user": id}`, `{"group": id}` or `{"case": id}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Conversation {
    User(String),
    Group(String),
    Case(String),
}
