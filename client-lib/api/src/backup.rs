//! `backup.*`: one encrypted file with all that there is, for the recovery key. Its bytes go by ticket (`bytes`).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::EnrollmentCode;
use crate::audit::Verdict;
use crate::bytes::{Issued, Moment};
use crate::method::{Access, Needs, method};
use crate::page::Nothing;
use crate::recovery::RecoveryKey;
use crate::scope::Scope;
use crate::session::Pin;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginVerifyParams {
    /// The one that was in force when the backup was made.
    pub recovery_key: RecoveryKey,
    /// Bytes of the backup.
    pub size: u64,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BeginRestoreParams {
    /// The one that was in force when the backup was made. It stays in force.
    pub recovery_key: RecoveryKey,
    /// The operator's single-use code for the backup's user: the installation is a new one.
    pub enrollment_code: EnrollmentCode,
    /// What opens the keys here. As in `account.enroll`.
    pub pin: Pin,
    /// Bytes of the backup.
    pub size: u64,
    /// `https://host[:port]`, where the relay has moved since; as in the backup when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relay_url: Option<String>,
    /// As in `account.enroll`, where the relay's keys have changed since; as in the backup when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relay_pins: Option<Vec<String>>,
    /// As in `account.enroll`; as in the backup when left out along with `relay_url`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relay_ca_pem: Option<String>,
}

impl fmt::Debug for BeginRestoreParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeginRestoreParams(..)")
    }
}

/// What a backup holds: the result of an upload that was verified or restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contents {
    /// Whose it is.
    pub user_id: String,
    pub taken_at: Moment,
    pub messages: u64,
    pub contacts: u64,
    pub conversations: u64,
    pub events: u64,
    /// Written and not sent when it was taken.
    pub queued: u64,
    /// The audit log in it: one that was tampered with before shows here.
    pub audit: Verdict,
}

method! {
    /// A ticket for a backup of all that there is, as of the moment when the ticket is shown. It takes a recovery key, which the backup is for.
    Begin = "backup.begin"(Nothing) -> Issued, Access::Scope(Scope::Admin), Needs::Unlocked, [Invalid, RateLimited]
}
method! {
    /// A ticket for a backup to be looked at: it is restored into a scratch place, compared with what it says of itself, and removed.
    BeginVerify = "backup.begin_verify"(BeginVerifyParams) -> Issued, Access::Scope(Scope::Admin), Needs::Nothing, [Invalid, RateLimited]
}
method! {
    /// A ticket for a backup to be restored from, by a daemon without an account: its history, under new keys and a new `installation_id`.
    BeginRestore = "backup.begin_restore"(BeginRestoreParams) -> Issued, Access::Scope(Scope::Admin), Needs::Nothing, [Invalid, RateLimited]
}
