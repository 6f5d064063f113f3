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
/// After a rotation.
pub const NEW_FINGERPRINT: &str = "41873 60925 17734 92058 33461 08297";
pub const NEW_BOX_KEY_ID: &str = "0b7c41e98f25d36a";
pub const NEW_SIGN_KEY_ID: &str = "93d5fa0716c82be4";
pub const NEXT_FINGERPRINT_OF_BOB: &str = "40118 86342 15970 62253 00914 37781";
/// Both sides, the lower one first.
pub const DIGITS: &str = "29384 11750 66231 90418 73305 48826 70562 33919 08247 51603 26478 95510";
pub const QR: &str = "293841175066231904187330548826705623391908247516032647895510";
/// What somebody else reads out.
pub const OTHER_DIGITS: &str =
    "29384 11750 66231 90418 73305 48826 11111 22222 33333 44444 55555 66666";
/// Bob's key, and the one that he has after he enrolled anew.
pub const KEY_OF_BOB: &str = "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea";
pub const NEXT_KEY_OF_BOB: &str =
    "9c1185a5c5e9fc54612808977ee8f548b2258d31b4a2a3f1c3d2e05b8a7d6f90";
pub const QUARANTINE_ID: &str = "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447";
/// One that is not there.
pub const UNKNOWN_QUARANTINE_ID: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";
pub const STATEMENT: &str = "{\"organisation\":\"Klinikum am See\",\"serial\":7,…}";
pub const OLDER_STATEMENT: &str = "{\"organisation\":\"Klinikum am See\",\"serial\":6,…}";
pub const SIGNATURE: &str = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
pub const OLDER_SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
pub const INSTALLATION_ID: &str = "8c1f4be20d7a9536";
pub const BOX_KEY_ID: &str = "51d09ae7c2b84f63";
pub const SIGN_KEY_ID: &str = "e6207bd5938f1ca4";

/// Alice's first message, Bob's answer, and hers to that.
pub const MESSAGE_ID: &str = "7f3a90c1e85d42b6a0194fd27bc6e358";
pub const ANSWER_ID: &str = "c40b57e2916f4d83bb2ae07159d8f31c";
pub const REPLY_ID: &str = "19e6d2f8a7034bc5904c6b8ef2d31a70";
/// The message that the events are about which a bad sender or relay causes.
pub const OTHER_MESSAGE_ID: &str = "a86d1c035f7e4920b4d7e81c62f09b35";

/// The group of Alice's ward, and one that there is not.
pub const GROUP_ID: &str = "5be1f0a4c93d4e7782d60f1b9a38c7e5";
pub const UNKNOWN_GROUP_ID: &str = "00000000000000000000000000000000";
/// Alice's case with Bob, and one of her own.
pub const CASE_ID: &str = "5be2107c94d84f3aa6c1380f7e92b4d5";
pub const OTHER_CASE_ID: &str = "e07a4cd1b3954826917f5d0268ab3c1e";
/// A case id that was never given.
pub const UNKNOWN_CASE_ID: &str = "00000000000000000000000000000000";
pub const ROSTER_DIGEST: &str = "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce";
pub const NEXT_ROSTER_DIGEST: &str =
    "4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a";
pub const LAST_ROSTER_DIGEST: &str =
    "ef2d127de37b942baad06145e54b0c619a1f22327b2ebbcfbec78f5564afe39d";

/// A message id that was never given.
pub const UNKNOWN_MESSAGE_ID: &str = "00000000000000000000000000000000";

/// A film that Alice sends to Bob, and the message that names it.
pub const ATTACHMENT_ID: &str = "5e0c97b3f1a24d68b82c6a10d94e73f5";
pub const FILM_MESSAGE_ID: &str = "e27d40b6158f4c93a6d0f19b3c875e42";
/// Another one, which is only announced.
pub const NEXT_ATTACHMENT_ID: &str = "b03f6d8a92e14750ac71d5e84f0b2c96";
/// A larger one, and the message that does not go out, since it is cancelled.
pub const CANCELLED_ID: &str = "18a6c2e70d9b4f35be80c41f7a52d36e";
pub const CANCELLED_MESSAGE_ID: &str = "6bd19f4c830e47a2951c0e7fd8a3b264";
/// One that was never given.
pub const UNKNOWN_ATTACHMENT_ID: &str = "00000000000000000000000000000000";

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

/// For one connection.
pub const TICKET: &str = "0f7c3a52d1e94b86a7e05c1f92d6384be1a07d5c3f9b2468f0d1c2b3a4958677";
/// For an export that is kept in a file.
pub const EXPORT_FILE: &str = "conversation-20260302T080211Z.fhir.json";
pub const CASE_FILE: &str = "case-20260302T080211Z.fhir.json";
/// A backup of a few thousand messages.
pub const BACKUP_BYTES: u64 = 5_242_880;

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
    NEW_FINGERPRINT,
    NEW_BOX_KEY_ID,
    NEW_SIGN_KEY_ID,
    NEXT_FINGERPRINT_OF_BOB,
    DIGITS,
    QR,
    KEY_OF_BOB,
    NEXT_KEY_OF_BOB,
    QUARANTINE_ID,
    STATEMENT,
    OLDER_STATEMENT,
    SIGNATURE,
    OLDER_SIGNATURE,
    INSTALLATION_ID,
    BOX_KEY_ID,
    SIGN_KEY_ID,
    MESSAGE_ID,
    ANSWER_ID,
    REPLY_ID,
    OTHER_MESSAGE_ID,
    ATTACHMENT_ID,
    FILM_MESSAGE_ID,
    NEXT_ATTACHMENT_ID,
    CANCELLED_ID,
    CANCELLED_MESSAGE_ID,
    CASE_ID,
    OTHER_CASE_ID,
    GROUP_ID,
    ROSTER_DIGEST,
    NEXT_ROSTER_DIGEST,
    LAST_ROSTER_DIGEST,
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
pub const FRESH: &[&str] = &[REF, TICKET, EXPORT_FILE, CASE_FILE];
/// A number from this one on is a time, and another one every time.
pub const FIRST_TIME: u64 = 1_600_000_000_000;
