//! `messages.search`: messages by the words in them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conversation::Conversation;
use crate::method::{Access, Needs, method};
use crate::page::Page;
use crate::scope::Scope;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchParams {
    /// Words that must all occur, beginnings of words (`wor*`) and phrases (`"exact words"`). Case and accents do not
    /// count. Up to 1024 bytes and 32 words.
    pub query: String,
    /// Only in this conversation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub conversation: Option<Conversation>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
    /// 1 to 500; 50 when left out. A page may have fewer hits and a `next` all the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u32>,
}

impl fmt::Debug for SearchParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SearchParams(..)")
    }
}

/// A message that was found. `messages.get` has the whole of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    pub message_id: String,
    pub conversation: Conversation,
    /// The author's user id.
    pub author: String,
    /// When its author says that it was written.
    pub sent_ms: u64,
    /// Up to 160 characters of the text around the first match; `…` stands where it was cut.
    pub snippet: String,
    /// What was found in the snippet, in its order.
    pub matches: Vec<Match>,
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hit({})", self.message_id)
    }
}

/// From a character of the snippet up to another, the latter left out. A character is a Unicode code point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Match {
    pub start: u32,
    pub end: u32,
}

method! {
    /// Messages in which everything that is looked for occurs, the newest first.
    Search = "messages.search"(SearchParams) -> Page<Hit>, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid]
}
