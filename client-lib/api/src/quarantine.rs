//! `quarantine.*`: what was refused, for who decides about keys (D19, D24).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::contacts::KeyState;
use crate::method::{Access, Needs, method};
use crate::page::{ListParams, Page};
use crate::scope::Scope;

/// What was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantined {
    pub quarantine_id: String,
    /// From the list in `docs/refusals.md`, or `message_conflict`.
    pub reason: String,
    /// Whom the envelope names; null where that is nobody.
    pub sender: Option<String>,
    pub message_id: Option<String>,
    /// When it was put aside.
    pub stored_ms: u64,
}

/// What it says where it opens under the very key for which it was refused. It proves nothing: whoever has that key may have
/// written it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnprovenContent {
    /// `text`, `edit`, `delete`, `typing`, `delivered_receipt`, `read_receipt` or `resend_request`.
    pub kind: String,
    /// Of a text or an edit.
    pub text: Option<String>,
    /// When it says that it was written.
    pub claimed_ms: u64,
    /// Which key of the sender opened it, as in `keys` of the contact.
    pub key: String,
    pub key_state: KeyState,
}

impl fmt::Debug for UnprovenContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnprovenContent({})", self.kind)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantinedMessage {
    #[serde(flatten)]
    pub quarantined: Quarantined,
    /// Null where it does not open, or was refused for another reason than its key.
    pub unproven: Option<UnprovenContent>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantineParams {
    /// As listed: 64 digits of hex.
    pub quarantine_id: String,
}

method! {
    /// What was refused, the newest first.
    List = "quarantine.list"(ListParams) -> Page<Quarantined>, Access::Scope(Scope::TrustDecide), Needs::Unlocked, [Invalid]
}
method! {
    /// One of them, with what it says where it opens under a key that proves nothing any more.
    Get = "quarantine.get"(QuarantineParams) -> QuarantinedMessage, Access::Scope(Scope::TrustDecide), Needs::Unlocked, [Invalid, NotFound]
}
