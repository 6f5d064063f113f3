//! What stands in the examples for values that differ from one installation, call or moment to another.

pub const ALICE: &str = "alice";
pub const BOB: &str = "bob";
/// A user whom the relay does not know.
pub const NOBODY: &str = "nobody";

pub const RELAY_URL: &str = "https://relay.example.org:8443";
pub const RELAY_PIN: &str = "sha256/x4QzPSC810K5/cMjb05Qm4k3Bw5zBn4lTdO/nEW/Td4=";
pub const SPARE_RELAY_PIN: &str = "sha256/jQJTbIh0grw0/1TkHSumWb+Fs0Ggogr621gT3PvPKG0=";
pub const RELAY_CA: &str =
    "-----BEGIN CERTIFICATE-----\nMIIBjzCCATWgAwIBAgIUd1E9…\n-----END CERTIFICATE-----\n";
pub const ENROLLMENT_CODE: &str = "alice/3H7KQ-9WZ4T-M0XBC-8RV2N-YD6FJ-1";

pub const PIN: &str = "29571";
pub const NEW_PIN: &str = "804716";
/// A whole one: its checksum is looked at.
pub const RECOVERY_KEY: &str = "recove r1s3a5 lrscut tx9dq8 3x30p5 w0s6vw vzc0y5 ptxs";

pub const FINGERPRINT: &str = "29384 11750 66231 90418 73305 48826";
pub const FINGERPRINT_OF_BOB: &str = "70562 33919 08247 51603 26478 95510";
pub const INSTALLATION_ID: &str = "8c1f4be20d7a9536";
pub const BOX_KEY_ID: &str = "51d09ae7c2b84f63";
pub const SIGN_KEY_ID: &str = "e6207bd5938f1ca4";

/// Alice's first message, Bob's answer, and hers to that.
pub const MESSAGE_ID: &str = "7f3a90c1e85d42b6a0194fd27bc6e358";
pub const ANSWER_ID: &str = "c40b57e2916f4d83bb2ae07159d8f31c";
pub const REPLY_ID: &str = "19e6d2f8a7034bc5904c6b8ef2d31a70";
/// The message that the events are about which a bad sender or relay causes.
pub const OTHER_MESSAGE_ID: &str = "a86d1c035f7e4920b4d7e81c62f09b35";

/// A message id that was never given.
pub const UNKNOWN_MESSAGE_ID: &str = "00000000000000000000000000000000";

pub const APP_ID: &str = "4d92a7f01b6e4c38952fd0b7ae613c84";
pub const APP_TOKEN: &str = "b1946ac92492d2347c6235b4d2611184e8b0a1f5c76d3924f0ab83de5791c602";
/// An app's id that was never given.
pub const UNKNOWN_APP_ID: &str = "00000000000000000000000000000000";

/// Alice's daemon announced Bob's answer under this one.
pub const EVENT_ID: u64 = 1482;
pub const EVENT_ID_BEFORE: u64 = 1481;
pub const LAST_EVENT_ID: u64 = 1517;
/// No log has got this far.
pub const FUTURE_EVENT_ID: u64 = 1_000_000_000;

/// The process that made a call, and its user.
pub const UID: u32 = 1000;
pub const PID: u32 = 48_213;

pub const AUDIT_ENTRY_BEFORE: u64 = 310;
pub const AUDIT_ENTRY: u64 = 311;
pub const AUDIT_ENTRIES: u64 = 324;
pub const AUDIT_HASH: &str = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9";
pub const AUDIT_HEAD: &str = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";
pub const AUDIT_OBJECT: &str = "d4735e3a265e16eee03f59718b9b5d03";

/// Also stands in the daemon's log.
pub const REF: &str = "9b1d42e07ac3";
pub const VERSION: &str = "0.1.0";

/// Milliseconds since the epoch: 2026-03-02, a Monday morning, and what came after.
pub const ENROLLED_MS: u64 = 1_772_434_800_000;
pub const WRITTEN_MS: u64 = 1_772_438_412_345;
pub const STORED_MS: u64 = 1_772_438_412_351;
pub const ANSWERED_MS: u64 = 1_772_438_473_019;
pub const LATER_MS: u64 = 1_772_438_531_807;

/// The texts among them: each stands for one value in all examples. Everything else is meant as it is written.
pub const TEXTS: &[&str] = &[
    ALICE,
    BOB,
    RELAY_URL,
    RELAY_PIN,
    SPARE_RELAY_PIN,
    RELAY_CA,
    ENROLLMENT_CODE,
    FINGERPRINT,
    FINGERPRINT_OF_BOB,
    INSTALLATION_ID,
    BOX_KEY_ID,
    SIGN_KEY_ID,
    MESSAGE_ID,
    ANSWER_ID,
    REPLY_ID,
    OTHER_MESSAGE_ID,
    APP_ID,
    APP_TOKEN,
    AUDIT_HASH,
    AUDIT_HEAD,
    AUDIT_OBJECT,
    VERSION,
];
/// The numbers among them.
pub const NUMBERS: &[u64] = &[
    EVENT_ID,
    EVENT_ID_BEFORE,
    LAST_EVENT_ID,
    UID as u64,
    PID as u64,
    AUDIT_ENTRY_BEFORE,
    AUDIT_ENTRY,
    AUDIT_ENTRIES,
];
/// Members whose values are the machine's: only their shape is as written.
pub const OF_THE_MACHINE: &[&str] = &["memory"];
/// A text that is another one every time.
pub const FRESH: &[&str] = &[REF];
/// A number from this one on is a time, and another one every time.
pub const FIRST_TIME: u64 = 1_600_000_000_000;
