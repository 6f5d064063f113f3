//! The closed set of error codes: the one file that spells them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($variant:ident = $code:literal $name:literal $message:literal $advice:literal),* $(,)?) => {
        /// Every error that the daemon answers with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum ErrorCode {
            $(#[doc = $message] #[serde(rename = $name)] $variant),*
        }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// JSON-RPC's number.
            pub const fn number(self) -> i32 {
                match self { $(Self::$variant => $code),* }
            }

            /// As in `data.code`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The fixed text in `message`.
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message),* }
            }

            /// What whoever meets it does next.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice),* }
            }
        }
    };
}

codes! {
    ParseError = -32700 "parse_error" "The line is not a JSON text"
        "Send one JSON text in UTF-8 per line, and nothing else.",
    InvalidRequest = -32600 "invalid_request" "The JSON text is not a request of this contract"
        "Send an object with jsonrpc, id, method and params; no batches and no notifications.",
    MethodNotFound = -32601 "method_not_found" "There is no such method"
        "See which methods there are: rpc.discover. A newer daemon may have more.",
    InvalidParams = -32602 "invalid_params" "The parameters do not have the shape that the method takes"
        "Correct the request. `reason` says what is wrong with it; params are named, and unknown ones are refused.",
    Locked = -32001 "locked" "The keys are locked: unlock the session first"
        "Call session.unlock, or wait for the event session_unlocked.",
    NotEnrolled = -32002 "not_enrolled" "There is no account yet: enroll first"
        "Call account.enroll with a code of the relay's operator.",
    InstallationRevoked = -32003 "installation_revoked" "This installation was revoked: enroll again"
        "The account was enrolled elsewhere, revoked or deleted. To use it here again, call account.enroll with a new code.",
    Forbidden = -32004 "forbidden" "The app does not have the scope for this method"
        "The daemon's owner pairs the app anew with the scope that the method takes.",
    Unauthenticated = -32005 "unauthenticated" "Present an app's token first"
        "Call session.authenticate with the id and token of an app that is paired and not revoked.",
    WrongPin = -32006 "wrong_pin" "The PIN or passphrase is wrong, or has to wait"
        "Ask for the PIN again, once `retry_after_ms` is over. Where `attempts_left` is 0, an administrator runs: connectd reset-attempts.",
    NotFound = -32007 "not_found" "There is no such thing"
        "Look at the id. What is not the caller's answers the same.",
    FrameTooLarge = -32010 "frame_too_large" "The line is too long"
        "The connection ends. Connect again and send shorter lines.",
    Timeout = -32011 "timeout" "The call took too long; what was committed stays"
        "Look whether it was done before repeating it; a message is safe to repeat with the same client_ref.",
    RateLimited = -32012 "rate_limited" "Too many calls: try again later"
        "Try again after `retry_after_ms`.",
    TooLarge = -32013 "too_large" "The content is too large"
        "Send less in one message; where it is the answer that does not fit into a line, ask for less.",
    Invalid = -32014 "invalid" "A parameter has a value that is not allowed"
        "Correct the parameter `field`; `reason` says why it is not allowed.",
    UnknownContact = -32020 "unknown_contact" "The user is not a contact: add it first"
        "Call contacts.add first.",
    KeyChangeHold = -32021 "key_change_hold" "The contact's key changed: decide about it first"
        "Compare fingerprints with the contact (trust.compare), or decide about the new key (trust.decide).",
    KeyRevoked = -32022 "key_revoked" "The contact's key was revoked"
        "The contact has to enroll again.",
    ClientRefConflict = -32023 "client_ref_conflict" "The client_ref was used for other content"
        "Use another client_ref for other content.",
    RevisionConflict = -32024 "revision_conflict" "There is a newer revision"
        "Read the newest revision, and apply the change to it.",
    NotAParticipant = -32025 "not_a_participant" "The account does not take part in this conversation"
        "Ask a participant to be added.",
    RelayUnreachable = -32030 "relay_unreachable" "The relay cannot be reached"
        "Check the network and try again; what was queued goes out by itself.",
    RelayRefused = -32031 "relay_refused" "The relay refused the request"
        "Ask the relay's operator.",
    PinMismatch = -32032 "pin_mismatch" "The relay's TLS key is not one of the pinned ones"
        "Someone may stand in between. Do not go on: ask the relay's operator for its current pins.",
    StorageFull = -32040 "storage_full" "The disk is full"
        "Free some space. Nothing that was answered is lost; the daemon tries again by itself.",
    StorageFailed = -32041 "storage_failed" "The database cannot be read or written"
        "Look for `ref` in the daemon's log, and at `storage` of system.health.",
    KeystoreUnavailable = -32042 "keystore_unavailable" "The keystore cannot be reached"
        "`reason` says which keystore is missing what: see the operator's guide.",
    Internal = -32050 "internal" "The daemon failed: look for the ref in its log"
        "Look for `ref` in the daemon's log, and report it.",
}

/// What a line is answered with that does not come to a method; its `id` is null where none could be read.
pub const OF_A_LINE: &[ErrorCode] = &[
    ErrorCode::ParseError,
    ErrorCode::InvalidRequest,
    ErrorCode::MethodNotFound,
    ErrorCode::FrameTooLarge,
];
/// For methods that are not built yet: no daemon of this version answers them.
pub const RESERVED: &[ErrorCode] = &[];

/// Why a parameter is not allowed, or a keystore does not give its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Missing,
    Unknown,
    WrongType,
    Malformed,
    Empty,
    TooShort,
    TooLong,
    TooWeak,
    OutOfRange,
    NotSupported,
    AlreadyEnrolled,
    Expired,
    /// It is of the right form, and of something else.
    Mismatch,
    /// The person at the host did not show that it is them.
    NotProven,
    /// It is not what was written.
    Damaged,
    /// The contact is blocked.
    Blocked,
    /// The case is closed.
    Closed,
    /// Only an admin of the group or case may do it.
    NotAnAdmin,
    /// The message's attachment is still on its way to the relay.
    Uploading,
    /// The keys were sealed with another keystore than the one that is configured.
    OtherKeystore,
    /// The keystore does not have the secret of these keys.
    SecretMissing,
    /// Others can read the keystore's secret.
    SecretExposed,
    SecretDamaged,
    KeyringLocked,
    /// There is no default keyring.
    NoKeyring,
    /// No keyring answers on the session bus.
    NoKeyringService,
    /// The keyring did not answer within 5 s; or what would ask the person at the host does not.
    NoAnswer,
    /// The service manager passed no credential.
    NoCredential,
    /// The daemon's log tells more.
    Failed,
    /// One that a later daemon may say.
    #[serde(other)]
    #[schemars(skip)]
    Other,
}

/// What an error carries beside its code: `error.data` of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    pub code: ErrorCode,
    /// Also stands in the daemon's log.
    pub r#ref: String,
    /// The parameter that is not allowed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    /// What is wrong with it, with the parameters as a whole, or with the keystore.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Reason>,
    /// Milliseconds to wait before trying again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
    /// Attempts left before the PIN is disabled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempts_left: Option<u32>,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_names_are_what_serde_writes() {
        let numbers: HashSet<i32> = ErrorCode::ALL.iter().map(|c| c.number()).collect();
        assert_eq!(numbers.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }
}
