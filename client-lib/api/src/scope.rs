//! What a paired app may be allowed to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! scopes {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// A permission of a paired app. The owner has every one.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
        )]
        pub enum Scope {
            $(#[serde(rename = $name)] $variant,)*
        }

        impl Scope {
            pub const ALL: [Self; 14] = [$(Self::$variant),*];

            /// As it stands in the contract.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

scopes! {
    MessagesRead = "messages.read",
    MessagesSend = "messages.send",
    ContactsRead = "contacts.read",
    ContactsWrite = "contacts.write",
    GroupsWrite = "groups.write",
    CasesRead = "cases.read",
    CasesWrite = "cases.write",
    AttachmentsRead = "attachments.read",
    AttachmentsWrite = "attachments.write",
    EventsRead = "events.read",
    TrustDecide = "trust.decide",
    SessionUnlock = "session.unlock",
    AuditRead = "audit.read",
    Admin = "admin",
}
