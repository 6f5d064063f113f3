//! What a paired app may be allowed to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A permission of a paired app. The owner has every one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Scope {
    #[serde(rename = "messages.read")]
    MessagesRead,
    #[serde(rename = "messages.send")]
    MessagesSend,
    #[serde(rename = "contacts.read")]
    ContactsRead,
    #[serde(rename = "contacts.write")]
    ContactsWrite,
    #[serde(rename = "groups.write")]
    GroupsWrite,
    #[serde(rename = "cases.read")]
    CasesRead,
    #[serde(rename = "cases.write")]
    CasesWrite,
    #[serde(rename = "attachments.read")]
    AttachmentsRead,
    #[serde(rename = "attachments.write")]
    AttachmentsWrite,
    #[serde(rename = "events.read")]
    EventsRead,
    #[serde(rename = "trust.decide")]
    TrustDecide,
    #[serde(rename = "session.unlock")]
    SessionUnlock,
    #[serde(rename = "audit.read")]
    AuditRead,
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    pub const ALL: [Self; 14] = [
        Self::MessagesRead,
        Self::MessagesSend,
        Self::ContactsRead,
        Self::ContactsWrite,
        Self::GroupsWrite,
        Self::CasesRead,
        Self::CasesWrite,
        Self::AttachmentsRead,
        Self::AttachmentsWrite,
        Self::EventsRead,
        Self::TrustDecide,
        Self::SessionUnlock,
        Self::AuditRead,
        Self::Admin,
    ];
}
