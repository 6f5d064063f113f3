//! What things are called in an export: namespaces for identifiers, and ids that are the same in every export.

use connect_proto::hash::sha256;
use connect_proto::ids::{MessageId, UserId};
use connect_store::conversations::Conversation;

/// User ids mean something at their relay alone: its address is in every namespace, and in every id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    relay: String,
}

impl Naming {
    pub fn new(relay_url: &str) -> Self {
        Self {
            relay: relay_url.trim_end_matches('/').to_owned(),
        }
    }

    pub fn relay(&self) -> &str {
        &self.relay
    }

    /// The namespace of users, messages and so on: nothing has to answer there.
    pub fn system(&self, of: &'static str) -> String {
        format!("{}/connect/{of}", self.relay)
    }

    /// A UUID of version 8 (RFC 9562) over what makes a thing the one that it is.
    pub fn uuid(&self, kind: &'static str, parts: &[&str]) -> String {
        let mut bytes = Vec::new();
        for part in ["connect export", self.relay.as_str(), kind]
            .iter()
            .chain(parts)
        {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&sha256(&bytes)[..16]);
        id[6] = (id[6] & 0x0f) | 0x80;
        id[8] = (id[8] & 0x3f) | 0x80;
        let hex = hex::encode(id);
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    pub fn user(&self, user_id: &UserId) -> String {
        self.uuid("user", &[user_id.as_str()])
    }

    /// A message is (sender, message id) (D12).
    pub fn message(&self, sender: &UserId, message_id: MessageId) -> String {
        self.uuid("message", &[sender.as_str(), &message_id.to_string()])
    }
}

/// As identifiers spell a message.
pub fn message(sender: &UserId, message_id: MessageId) -> String {
    format!("{sender}/{message_id}")
}

/// `user`, `group` or `case`, and which.
pub fn conversation(named: &Conversation) -> (&'static str, String) {
    match named {
        Conversation::User(user) => ("user", user.to_string()),
        Conversation::Group(group) => ("group", group.to_string()),
        Conversation::Case(case) => ("case", case.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_for_the_same_thing_and_another_for_any_other() {
        let naming = Naming::new("https://relay.example.org:8443/");
        let bob: UserId = "bob".parse().unwrap();
        let message_id = MessageId::from_bytes([7; 16]);
        let id = naming.message(&bob, message_id);
        assert_eq!(
            id,
            Naming::new("https://relay.example.org:8443").message(&bob, message_id)
        );
        let shape: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "8");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        for other in [
            naming.user(&bob),
            naming.message(&"carol".parse().unwrap(), message_id),
            naming.message(&bob, MessageId::from_bytes([8; 16])),
            Naming::new("https://other.example.org").message(&bob, message_id),
        ] {
            assert_ne!(id, other);
        }
        // No two lists of parts are run together into the same bytes.
        assert_ne!(
            naming.uuid("k", &["ab", "c"]),
            naming.uuid("k", &["a", "bc"])
        );
    }

    #[test]
    fn a_namespace_has_the_relay_in_it() {
        let naming = Naming::new("https://relay.example.org:8443");
        assert_eq!(
            naming.system("user"),
            "https://relay.example.org:8443/connect/user"
        );
    }
}
