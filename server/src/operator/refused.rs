//! Every way in which an operator's order is refused.

use http::StatusCode;

/// The words are in the log and in the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    #[error("credential_needed")]
    CredentialNeeded,
    #[error("wrong_credential")]
    WrongCredential,
    #[error("not_permitted")]
    NotPermitted,
    #[error("host_only")]
    HostOnly,
    #[error("unknown_user")]
    UnknownUser,
    #[error("no_active_key")]
    NoActiveKey,
    #[error("unknown_key")]
    UnknownKey,
    #[error("profile_changed")]
    ProfileChanged,
    #[error("name_taken")]
    NameTaken,
    #[error("unknown_operator")]
    UnknownOperator,
    #[error("unknown_proposal")]
    UnknownProposal,
    #[error("same_operator")]
    SameOperator,
    #[error("proposer_gone")]
    ProposerGone,
    #[error("changed_since")]
    ChangedSince,
}

impl OrderRefused {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::CredentialNeeded | Self::WrongCredential => StatusCode::UNAUTHORIZED,
            Self::NotPermitted | Self::HostOnly | Self::SameOperator => StatusCode::FORBIDDEN,
            Self::UnknownUser
            | Self::UnknownKey
            | Self::UnknownOperator
            | Self::UnknownProposal => StatusCode::NOT_FOUND,
            Self::NoActiveKey
            | Self::ProfileChanged
            | Self::NameTaken
            | Self::ProposerGone
            | Self::ChangedSince => StatusCode::CONFLICT,
        }
    }

    /// What it means, and what to do next.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::CredentialNeeded => {
                "this takes a named credential: --as NAME, with its token in CONNECT_RELAY_OPERATOR_TOKEN or --token-file"
            }
            Self::WrongCredential => "the relay has no such credential: look at `operator list`",
            Self::NotPermitted => "the credential does not have the role for this",
            Self::HostOnly => {
                "credentials are administered on the relay's own machine, without --as"
            }
            Self::UnknownUser => "no such user has enrolled, or the account was deleted",
            Self::NoActiveKey => "the user has no active key: nothing is left to revoke",
            Self::UnknownKey => "the user has no such bundle that could be revoked",
            Self::ProfileChanged => {
                "the profile is not the one that was looked at: `operator show` it again"
            }
            Self::NameTaken => "there is such a credential already",
            Self::ChangedSince => {
                "the user has other keys by now: `operator show` it, and order it anew"
            }
            Self::UnknownOperator => "there is no such credential",
            Self::UnknownProposal => {
                "nothing waits under this id, or no longer: look at `operator pending`"
            }
            Self::SameOperator => "four eyes: another operator has to confirm it",
            Self::ProposerGone => {
                "who proposed it has no longer the role for it: it cannot be confirmed, only cancelled"
            }
        }
    }

    const ALL: [Self; 14] = [
        Self::CredentialNeeded,
        Self::WrongCredential,
        Self::NotPermitted,
        Self::HostOnly,
        Self::UnknownUser,
        Self::NoActiveKey,
        Self::UnknownKey,
        Self::ProfileChanged,
        Self::NameTaken,
        Self::UnknownOperator,
        Self::UnknownProposal,
        Self::SameOperator,
        Self::ProposerGone,
        Self::ChangedSince,
    ];

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|refused| refused.to_string() == word)
    }
}
