//! `account.*`: the daemon's own user.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::method::{Access, Needs, method};
use crate::page::Nothing;
use crate::recovery::RecoveryKey;
use crate::scope::Scope;
use crate::session::{Pin, StateAnswer};

/// The operator's single-use code (D28). A secret: it is in no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EnrollmentCode(pub String);

impl fmt::Debug for EnrollmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrollmentCode(..)")
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrollParams {
    /// `https://host[:port]`
    pub relay_url: String,
    /// At least two of `sha256/<Base64>`, or of 64 digits of hex: SHA-256 of the relay's current and spare TLS keys (D29).
    pub relay_pins: Vec<String>,
    /// The certificate authority that signed the relay's certificate; the public ones when left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relay_ca_pem: Option<String>,
    /// The operator's single-use code, as `user/secret`.
    pub enrollment_code: EnrollmentCode,
    /// The user that the code was issued for; only needed where the code does not begin with it (`user/secret`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_id: Option<String>,
    /// What contacts see: 1 to 256 bytes.
    pub display_name: String,
    /// Up to 256 bytes.
    #[serde(default)]
    pub profession: String,
    /// Up to 256 bytes.
    #[serde(default)]
    pub organisation: String,
    /// 5 characters or more; where there is no keystore 12, or 20 of digits alone, that are not easy to guess.
    pub pin: Pin,
    /// Opens the keys too, where PIN or keystore are lost. Left out, there is none: `session.set_recovery_key` makes up for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recovery_key: Option<RecoveryKey>,
    /// Needed to replace an installation of the same user, which is revoked (D27).
    #[serde(default)]
    pub replace_existing_installation: bool,
}

impl fmt::Debug for EnrollParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrollParams(..)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolled {
    pub user_id: String,
    /// Our half of the digits that two people compare (D26): six groups of five.
    pub fingerprint: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    pub user_id: String,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    /// An operator checked the profile (D25).
    pub attested: bool,
    pub installation_id: String,
    pub box_key_id: String,
    pub sign_key_id: String,
    pub fingerprint: String,
    pub relay_url: String,
    pub enrolled_ms: u64,
    /// A recovery key was set. An older daemon has none.
    #[serde(default)]
    pub has_recovery_key: bool,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account(..)")
    }
}

method! {
    /// Makes keys, registers them at the relay with an operator's code, and unlocks the session. What a revoked installation left is kept aside.
    Enroll = "account.enroll"(EnrollParams) -> Enrolled, Access::Scope(Scope::Admin), Needs::Nothing, [Invalid, WrongPin, RelayUnreachable, RelayRefused, PinMismatch, RateLimited, KeystoreUnavailable, StorageFull, StorageFailed, Locked]
}
/// What is left out stays as it is.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProfileParams {
    /// What contacts see: 1 to 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub display_name: Option<String>,
    /// Up to 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub profession: Option<String>,
    /// Up to 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organisation: Option<String>,
}

impl fmt::Debug for UpdateProfileParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpdateProfileParams(..)")
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteParams {
    /// A wrong one counts as an attempt (D23).
    pub pin: Pin,
    /// Also remove keys and history from this host. Otherwise they stay, sealed, and the installation is `revoked`.
    #[serde(default)]
    pub erase: bool,
}

impl fmt::Debug for DeleteParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeleteParams(..)")
    }
}

method! {
    /// Changes what others see of the account. An operator has to attest the profile anew.
    UpdateProfile = "account.update_profile"(UpdateProfileParams) -> Account, Access::Scope(Scope::Admin), Needs::Unlocked, [Invalid, RelayUnreachable, RelayRefused, PinMismatch, RateLimited]
}
method! {
    /// Puts new keys in force, signed by the old ones, or goes on with a rotation that was cut off. The session stays open.
    RotateKeys = "account.rotate_keys"(Nothing) -> Account, Access::Scope(Scope::Admin), Needs::Unlocked, [RelayUnreachable, RelayRefused, PinMismatch, RateLimited]
}
method! {
    /// Deletes the account at the relay and ends this installation; of a revoked one, erases what is left.
    Delete = "account.delete"(DeleteParams) -> StateAnswer, Access::Scope(Scope::Admin), Needs::Enrolled, [WrongPin, Locked, RelayUnreachable, RelayRefused, PinMismatch, RateLimited, KeystoreUnavailable, StorageFull, StorageFailed]
}
method! {
    /// The daemon's own user, keys' ids and relay.
    Get = "account.get"(Nothing) -> Account, Access::Scope(Scope::ContactsRead), Needs::Unlocked, []
}
