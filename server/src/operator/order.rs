//! Everything that an operator can ask for (§5.2, §10.6). None of it reads a mailbox.

use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::wire;
use serde::{Deserialize, Serialize};

/// Longest note, in bytes.
const MAX_NOTE: usize = 200;
const MAX_NAME: usize = 32;

/// What an operator with a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Issue codes, attest profiles and withdraw attestations.
    Attest,
    /// Revoke keys and delete accounts.
    Revoke,
}

/// Why a key is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody else may have the key: what still comes in under it is not shown (D24).
    Compromised,
    /// The user asked for it.
    Requested,
}

impl Reason {
    pub(crate) const fn state(self) -> wire::KeyState {
        match self {
            Self::Compromised => wire::KeyState::KeyCompromised,
            Self::Requested => wire::KeyState::KeyRevoked,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Requested => "requested",
        }
    }
}

/// The name of a credential: 1 to 32 characters out of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperatorName(String);

/// Text that an operator leaves in the log: one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Note(String);

/// The text does not have the form that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error(
        "a name has 1 to 32 characters out of A-Z a-z 0-9 . _ -, and is none of host, relay and uid-…"
    )]
    Name,
    #[error("a note is one line of at most 200 bytes")]
    Note,
}

impl OperatorName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Note {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for OperatorName {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let is_taken = matches!(text.as_str(), "host" | "relay") || text.starts_with("uid-");
        if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(allowed) || is_taken {
            return Err(Malformed::Name);
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Note {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        if text.len() > MAX_NOTE || text.chars().any(char::is_control) {
            return Err(Malformed::Note);
        }
        Ok(Self(text))
    }
}

impl std::str::FromStr for OperatorName {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.to_owned().try_into()
    }
}

impl std::str::FromStr for Note {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.to_owned().try_into()
    }
}

impl From<OperatorName> for String {
    fn from(name: OperatorName) -> Self {
        name.0
    }
}

impl From<Note> for String {
    fn from(note: Note) -> Self {
        note.0
    }
}

/// One order. Secrets are made by who orders, and only their hashes travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    IssueCode {
        #[serde(with = "user_id")]
        user_id: UserId,
        #[serde(with = "hex")]
        code_hash: Digest,
    },
    Show {
        #[serde(with = "user_id")]
        user_id: UserId,
    },
    Attest {
        #[serde(with = "user_id")]
        user_id: UserId,
        /// Of the profile that was looked at, as `show` tells it: another one is not attested.
        #[serde(with = "hex")]
        profile_digest: Digest,
    },
    WithdrawAttestation {
        #[serde(with = "user_id")]
        user_id: UserId,
    },
    RevokeKeys {
        #[serde(with = "user_id")]
        user_id: UserId,
        reason: Reason,
        /// An earlier bundle instead of the active one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Note>,
    },
    DeleteAccount {
        #[serde(with = "user_id")]
        user_id: UserId,
        reason: Reason,
        /// The account as it is under its bundle of this revision, and not one that was enrolled since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Note>,
    },
    Pending,
    Confirm {
        id: u64,
    },
    Cancel {
        id: u64,
    },
    AddOperator {
        name: OperatorName,
        may: Vec<Role>,
        /// SHA-256 of the token, or of the client certificate.
        credential: Credential,
    },
    ListOperators,
    RemoveOperator {
        name: OperatorName,
    },
    Audit {
        #[serde(default)]
        after: u64,
    },
}

/// By what an operator is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    TokenSha256(#[serde(with = "hex")] Digest),
    CertificateSha256(#[serde(with = "hex")] Digest),
}

/// Who may give an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Whoever has a credential, and the host.
    Anyone,
    /// The host alone: whoever may act as the relay on its own machine.
    Host,
    Role(Role),
    /// The role, or the host.
    RoleOrHost(Role),
}

impl Order {
    pub(crate) const fn needs(&self) -> Needs {
        match self {
            Self::Show { .. } | Self::Pending | Self::ListOperators | Self::Audit { .. } => {
                Needs::Anyone
            }
            Self::IssueCode { .. } => Needs::RoleOrHost(Role::Attest),
            Self::Attest { .. } | Self::WithdrawAttestation { .. } => Needs::Role(Role::Attest),
            Self::RevokeKeys { .. }
            | Self::DeleteAccount { .. }
            | Self::Confirm { .. }
            | Self::Cancel { .. } => Needs::Role(Role::Revoke),
            Self::AddOperator { .. } | Self::RemoveOperator { .. } => Needs::Host,
        }
    }

    /// What only reads is entered into the log where it is refused.
    pub(crate) const fn only_reads(&self) -> bool {
        matches!(self.needs(), Needs::Anyone)
    }

    /// The same about the bundle of this revision, unless it names one; of other orders nothing is changed.
    pub(crate) fn about(mut self, bundle: u64) -> Self {
        if let Self::RevokeKeys { revision, .. } | Self::DeleteAccount { revision, .. } = &mut self
        {
            revision.get_or_insert(bundle);
        }
        self
    }

    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::IssueCode { .. } => "issue_code",
            Self::Show { .. } => "show",
            Self::Attest { .. } => "attest",
            Self::WithdrawAttestation { .. } => "withdraw_attestation",
            Self::RevokeKeys { .. } => "revoke_keys",
            Self::DeleteAccount { .. } => "delete_account",
            Self::Pending => "pending",
            Self::Confirm { .. } => "confirm",
            Self::Cancel { .. } => "cancel",
            Self::AddOperator { .. } => "add_operator",
            Self::ListOperators => "list_operators",
            Self::RemoveOperator { .. } => "remove_operator",
            Self::Audit { .. } => "audit",
        }
    }
}

mod user_id {
    use connect_proto::ids::UserId;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(id: &UserId, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(id.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<UserId, D::Error> {
        let text = String::deserialize(from)?;
        text.parse()
            .map_err(|_| de::Error::custom("malformed user id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_log_uses_itself_are_not_given_out() {
        assert!("n.keller-2".parse::<OperatorName>().is_ok());
        for wrong in ["", "host", "relay", "uid-7", "a b", "ä", &"a".repeat(33)] {
            assert!(wrong.parse::<OperatorName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_order_is_written_as_it_is_read_and_named() {
        let user_id: UserId = "dr.noor".parse().unwrap();
        let order = Order::RevokeKeys {
            user_id,
            reason: Reason::Compromised,
            revision: None,
            note: Some("laptop stolen".parse().unwrap()),
        };
        let json = serde_json::to_value(&order).unwrap();
        assert_eq!(json["order"], order.word());
        assert_eq!(serde_json::from_value::<Order>(json).unwrap(), order);
    }
}
