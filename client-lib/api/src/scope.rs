//! What a paired app may be allowed to do.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

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

/// The scopes of a list that this version knows: a later daemon may name others.
pub(crate) fn known<'de, D: Deserializer<'de>>(list: D) -> Result<Vec<Scope>, D::Error> {
    let named = Vec::<String>::deserialize(list)?;
    let known = |name: &String| Scope::ALL.into_iter().find(|scope| scope.name() == name);
    Ok(named.iter().filter_map(known).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::CreateParams;
    use crate::system::HelloAnswer;

    #[test]
    fn a_later_scope_is_left_out_of_an_answer_and_refused_in_a_request() {
        let answer = r#"{"daemon_version":"9","api_version":1,"state":"dreaming","principal":null,
            "scopes":["beds.move","messages.read"]}"#;
        let answer: HelloAnswer = serde_json::from_str(answer).unwrap();
        assert_eq!(answer.scopes, [Scope::MessagesRead]);
        assert_eq!(answer.state, crate::system::State::Other);
        let request = r#"{"name":"n","scopes":["beds.move"]}"#;
        assert!(serde_json::from_str::<CreateParams>(request).is_err());
    }

    #[test]
    fn names_are_what_serde_writes() {
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
        }
    }
}
