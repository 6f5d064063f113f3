//! `session.*`: unlocking and locking the keys.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::apps::AppToken;
use crate::method::{Access, Needs, method};
use crate::page::Nothing;
use crate::recovery::RecoveryKey;
use crate::scope::{self, Scope};
use crate::system::State;

/// A PIN or passphrase, on its way to the daemon. A secret: it is in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Pin(String);

impl Pin {
    pub fn new(pin: String) -> Self {
        Self(pin)
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// For whoever wipes it.
    pub fn into_inner(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlockParams {
    /// The one that the account was enrolled with, or that `session.change_pin` set.
    pub pin: Pin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePinParams {
    /// The one in force. A wrong one counts as an attempt to unlock.
    pub pin: Pin,
    /// 5 characters or more; where there is no keystore 12, or 20 of digits alone, that are not easy to guess.
    pub new_pin: Pin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverParams {
    pub recovery_key: RecoveryKey,
    /// What opens the keys from now on.
    pub new_pin: Pin,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRecoveryKeyParams {
    /// The one in force. A wrong one counts as an attempt to unlock.
    pub pin: Pin,
    pub recovery_key: RecoveryKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateAnswer {
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthenticateParams {
    /// As told by `apps.create`.
    pub app_id: String,
    /// As told by `apps.create`: 64 digits of hex.
    pub token: AppToken,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Authenticated {
    /// The app's id.
    pub principal: String,
    #[serde(deserialize_with = "scope::known")]
    pub scopes: Vec<Scope>,
}

method! {
    /// Makes the connection a paired app's: what follows on it is done in the app's name, with its scopes.
    Authenticate = "session.authenticate"(AuthenticateParams) -> Authenticated, Access::Anyone, Needs::Nothing, [Unauthenticated]
}
method! {
    /// Opens the keys with the PIN or passphrase.
    Unlock = "session.unlock"(UnlockParams) -> StateAnswer, Access::Scope(Scope::SessionUnlock), Needs::Enrolled, [WrongPin, KeystoreUnavailable, StorageFull, StorageFailed]
}
method! {
    /// Lifts a cover (`session.when_idle = "cover"`) without the PIN: the host asks the person before it for a fingerprint, or whatever it takes. For the owner, where `session.presence` is configured, and not for ever after the last PIN: `invalid` with the field `presence` tells `not_supported`, `not_proven`, `no_answer` or `expired`.
    Uncover = "session.uncover"(Nothing) -> StateAnswer, Access::Scope(Scope::SessionUnlock), Needs::Enrolled, [Locked, Invalid, StorageFull, StorageFailed]
}
method! {
    /// Wipes the keys from memory and closes the database.
    Lock = "session.lock"(Nothing) -> StateAnswer, Access::Scope(Scope::SessionUnlock), Needs::Enrolled, []
}
method! {
    /// Seals the keys under another PIN or passphrase. Answered once only the new one opens them; the session stays open.
    ChangePin = "session.change_pin"(ChangePinParams) -> StateAnswer, Access::Scope(Scope::SessionUnlock), Needs::Unlocked, [WrongPin, Invalid, KeystoreUnavailable]
}
method! {
    /// Opens the keys with the recovery key and seals them under a new PIN, in the keystore that is configured: for who lost either, or spent every attempt.
    Recover = "session.recover"(RecoverParams) -> StateAnswer, Access::Scope(Scope::SessionUnlock), Needs::Enrolled, [Invalid, KeystoreUnavailable, StorageFull, StorageFailed]
}
method! {
    /// Puts another recovery key in the place of the one there is, or the first one. Answered once the old one opens nothing.
    SetRecoveryKey = "session.set_recovery_key"(SetRecoveryKeyParams) -> StateAnswer, Access::Scope(Scope::SessionUnlock), Needs::Unlocked, [WrongPin, Invalid, KeystoreUnavailable]
}
