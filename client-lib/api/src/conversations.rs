//! `conversations.*`: what is talked about, and with whom.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conversation::Conversation;
use crate::messages::Message;
use crate::method::{Access, Needs, method};
use crate::page::{ListParams, Page};
use crate::scope::Scope;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    pub conversation: Conversation,
    /// The contact's display name, or the group's or case's title.
    pub title: String,
    pub last_message: Option<Message>,
    /// Messages that came in after the last one marked as read.
    pub unread: u64,
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Summary(..)")
    }
}

method! {
    /// All conversations, the most recently active first.
    List = "conversations.list"(ListParams) -> Page<Summary>, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid]
}
