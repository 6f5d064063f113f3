//! The one file that knows paths, headers, and the sizes that both ends agree on.

use crate::ids::AttachmentId;

pub const ENROLL: &str = "/api/v1/enroll";
pub const SEND: &str = "/api/v1/messages/send";
pub const RECEIVE: &str = "/api/v1/messages/receive";
pub const LOOKUP: &str = "/api/v1/contacts/lookup";
pub const SEARCH: &str = "/api/v1/contacts/search";
pub const PROFILE: &str = "/api/v1/profile";
pub const KEYS: &str = "/api/v1/keys";
pub const DELETE_ACCOUNT: &str = "/api/v1/account/delete";

/// Created here; its chunks lie beneath (§8.2.2): `attachment`, `chunk`.
pub const ATTACHMENTS: &str = "/api/v1/attachments";

pub const METHOD_POST: &str = "POST";
pub const METHOD_PUT: &str = "PUT";
pub const METHOD_GET: &str = "GET";
pub const METHOD_DELETE: &str = "DELETE";
pub const CONTENT_TYPE: &str = "application/x-protobuf";
/// A chunk's, both ways: ciphertext and nothing else.
pub const CHUNK_CONTENT_TYPE: &str = "application/octet-stream";
/// The user who signs (§8.3).
pub const HEADER_USER: &str = "x-siilo-uid";
/// Base64(signature || `SignatureHeader`) (D8).
pub const HEADER_SIGNATURE: &str = "x-siilo-sig";

/// Longest `x-siilo-sig` that is looked at, in characters.
pub const MAX_SIGNATURE_HEADER: usize = 2048;
/// How far a request's timestamp may be off, either way (§10.1).
pub const SIGNATURE_WINDOW_MS: u64 = 300_000;
pub const MAX_LOOKUP: usize = 200;
pub const MAX_SEARCH: usize = 50;
/// How many key bundles of one user a directory entry carries at most, the newest ones.
pub const MAX_PUBLISHED_KEYS: usize = 16;
pub const MAX_ACK_ENTRIES: usize = 500;
pub const MAX_RECEIVE_ENVELOPES: usize = 100;
/// An `EnvelopeList` never exceeds this, whatever was asked for.
pub const MAX_RECEIVE_BYTES: usize = 4 << 20;
/// Longest body of a send that is read.
pub const MAX_SEND_BYTES: usize = 16 << 20;
/// Longest body of any other call that is read.
pub const MAX_CALL_BYTES: usize = 64 << 10;
pub const MAX_WAIT_MS: u32 = 30_000;
/// Padded plaintext of one box at most (D6).
pub const MAX_PADDED: usize = 64 << 10;
/// Recipients of one envelope at most.
pub const MAX_RECIPIENTS: usize = 1000;
/// Longest text body, in bytes.
pub const MAX_TEXT: usize = 16 << 10;
/// Longest profile field, in bytes.
pub const MAX_PROFILE_FIELD: usize = 256;
/// Plaintext of every chunk of an attachment but the last one, which may be shorter (D15).
pub const CHUNK_PLAINTEXT: usize = 2_097_152;
/// What sealing adds to a chunk.
pub const CHUNK_OVERHEAD: usize = 16;
/// Ciphertext of every chunk but the last one; an empty file is one chunk of `CHUNK_OVERHEAD` bytes.
pub const CHUNK_CIPHERTEXT: usize = CHUNK_PLAINTEXT + CHUNK_OVERHEAD;
/// Readers that one attachment names at most: whoever can be written to in one envelope.
pub const MAX_ATTACHMENT_READERS: usize = MAX_RECIPIENTS;
/// Longest body that announces an attachment: so many readers with the longest ids.
pub const MAX_CREATE_BYTES: usize = 128 << 10;
/// Days that the relay keeps an attachment from its creation (§8.2.2).
pub const ATTACHMENT_DAYS: u64 = 30;

/// Where one attachment is: its id in lower-case hex.
pub fn attachment(id: &AttachmentId) -> String {
    format!("{ATTACHMENTS}/{id}")
}

/// Where one of its chunks is. They count from 1.
pub fn chunk(id: &AttachmentId, index: u32) -> String {
    format!("{ATTACHMENTS}/{id}/{index}")
}

/// `host:port` as signed and as checked: lower case, the port always written out (D8).
pub fn authority(host: &str, port: u16) -> String {
    format!("{}:{port}", host.to_ascii_lowercase())
}
