//! `conversations.*`: what is talked about, and with whom.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bytes::Ticket;
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

/// What a record system or a person gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A FHIR R4 Bundle of type `collection`, as JSON.
    Fhir,
    /// One HTML page that fetches nothing.
    Html,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportParams {
    /// Which one. A case has `cases.export`.
    pub conversation: Conversation,
    pub format: ExportFormat,
    /// Only messages that were written then or later, as their authors say: milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_ms: Option<u64>,
    /// Only messages that were written before: later than `from_ms`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_ms: Option<u64>,
    /// Files of at most so many bytes are in it, as far as they are here whole. Left out: none, only what is said of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub files_up_to_bytes: Option<u64>,
}

/// An export that waits to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Export {
    /// The first line of a connection of its own, within 60 s: `{"ticket": "…"}`.
    pub ticket: Ticket,
    /// Of the bytes that it is good for.
    pub media_type: String,
    /// For a file to keep them in: it names nobody.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filename: Option<String>,
}

method! {
    /// A ticket for one conversation in clear, as of the moment when the ticket is shown: for the record system or as a page to read. Earlier texts are in it for whoever may also read the audit log.
    ExportConversation = "conversations.export"(ExportParams) -> Export, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid, NotFound, RateLimited]
}
method! {
    /// All conversations, the most recently active first.
    List = "conversations.list"(ListParams) -> Page<Summary>, Access::Scope(Scope::MessagesRead), Needs::Unlocked, [Invalid]
}
