//! Attachments (§3.5, D15): a key of their own, chunks sealed under their number, and all that is checked of what others say.

use std::fmt;
use std::sync::Arc;

use connect_proto::hash::Digest;
use connect_proto::ids::AttachmentId;
use connect_proto::{routes, wire};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::boxes::{CannotOpen, TAG_LEN};
use crate::bulk;
use crate::nonce::{NONCE_LEN, Nonce};
use crate::secret::AttachmentKey;

pub mod name;

/// Plaintext bytes of every chunk but the last one.
pub const CHUNK: usize = 2_097_152;
/// Ciphertext bytes of every chunk but the last one.
pub const SEALED_CHUNK: usize = CHUNK + TAG_LEN;
/// Plaintext bytes of one attachment at most: 1 TiB. Nothing is set aside for what merely claims to be so large.
pub const MAX_SIZE: u64 = 1 << 40;
/// Longest thumbnail, in bytes.
pub const MAX_THUMBNAIL: usize = 16 << 10;
/// Longest file name as its sender gives it, in bytes.
pub const MAX_FILENAME: usize = 1024;
/// Longest media type, in bytes: RFC 6838 allows 127 on either side of the slash.
pub const MAX_MEDIA_TYPE: usize = 255;

/// What of an attachment travels inside the box.
#[derive(Clone)]
pub struct Attachment {
    pub id: AttachmentId,
    /// Shared and not copied: there is one place in memory that has to be wiped.
    pub key: Arc<AttachmentKey>,
    pub chunk_count: u32,
    /// In bytes.
    pub plaintext_size: u64,
    /// SHA-256 over the ciphertext of all chunks in order.
    pub ciphertext_digest: Digest,
    pub media_type: String,
    /// As its sender gives it: never to be used as a path. `name::for_display` makes one to show.
    pub filename: String,
    pub caption: String,
    /// Bytes of an image, or none.
    pub thumbnail: Vec<u8>,
}

impl PartialEq for Attachment {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.key.expose().ct_eq(other.key.expose()))
            && self.id == other.id
            && self.chunk_count == other.chunk_count
            && self.plaintext_size == other.plaintext_size
            && self.ciphertext_digest == other.ciphertext_digest
            && self.media_type == other.media_type
            && self.filename == other.filename
            && self.caption == other.caption
            && self.thumbnail == other.thumbnail
    }
}

impl Eq for Attachment {}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attachment({})", self.id)
    }
}

/// Why what a sender says of an attachment is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentRefused {
    /// An id, key or digest has another length, or the chunk size is another one.
    Malformed,
    /// It claims more than `MAX_SIZE`.
    TooLarge,
    /// Its number of chunks is not what its size makes.
    SizesDisagree,
    /// Its thumbnail is longer than `MAX_THUMBNAIL`.
    ThumbnailTooLarge,
    /// Its file name, media type or caption is too long.
    NameTooLong,
}

/// How many chunks so many bytes make: an empty file is one empty chunk. None past `MAX_SIZE`.
pub fn chunk_count(plaintext_size: u64) -> Option<u32> {
    if plaintext_size > MAX_SIZE {
        return None;
    }
    u32::try_from(plaintext_size.div_ceil(CHUNK as u64).max(1)).ok()
}

/// Ciphertext bytes of all chunks together.
pub const fn sealed_size(plaintext_size: u64, chunk_count: u32) -> u64 {
    plaintext_size + chunk_count as u64 * TAG_LEN as u64
}

/// Ciphertext bytes of one chunk, from 1; none where there is no such chunk.
pub fn sealed_chunk_len(plaintext_size: u64, index: u32) -> Option<usize> {
    let before = u64::from(index.checked_sub(1)?) * CHUNK as u64;
    if index > chunk_count(plaintext_size)? {
        return None;
    }
    let left = (plaintext_size - before).min(CHUNK as u64);
    usize::try_from(left).ok().map(|left| left + TAG_LEN)
}

/// `tag(16) || ciphertext` of a chunk; `index` counts from 1. A key seals every index once: other bytes under the same one
/// would give both away.
pub fn seal_chunk(key: &AttachmentKey, index: u32, plaintext: &[u8]) -> Vec<u8> {
    bulk::seal(key.expose(), &nonce(index), plaintext)
}

/// Another key, another index or changed bytes do not open: which, nobody can tell.
pub fn open_chunk(
    key: &AttachmentKey,
    index: u32,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    bulk::open(key.expose(), &nonce(index), sealed)
}

/// The index, 24 bytes little-endian (§2.3.2, D15).
fn nonce(index: u32) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..4].copy_from_slice(&index.to_le_bytes());
    Nonce::from_bytes(bytes)
}

/// The digest over all chunks, as they pass in order.
#[derive(Clone, Default)]
pub struct RunningDigest(Sha256);

impl RunningDigest {
    pub fn update(&mut self, sealed: &[u8]) {
        self.0.update(sealed);
    }

    pub fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

impl fmt::Debug for RunningDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunningDigest(..)")
    }
}

/// Something small in one piece, sealed as an attachment would be.
pub struct Blob {
    pub attachment: Attachment,
    /// Every chunk's ciphertext, in order.
    pub chunks: Vec<Vec<u8>>,
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({})", self.attachment.id)
    }
}

/// Seals what is in memory under a fresh key. None where it is larger than an attachment may be.
pub fn seal_blob(
    plaintext: &[u8],
    media_type: &str,
    rng: &mut impl rand_core::CryptoRngCore,
) -> Option<Blob> {
    let plaintext_size = plaintext.len() as u64;
    let chunk_count = chunk_count(plaintext_size)?;
    let key = AttachmentKey::generate(rng);
    let mut digest = RunningDigest::default();
    let mut chunks = Vec::new();
    for index in 1..=chunk_count {
        let from = (index as usize - 1) * CHUNK;
        let to = plaintext.len().min(from + CHUNK);
        let sealed = seal_chunk(&key, index, &plaintext[from..to]);
        digest.update(&sealed);
        chunks.push(sealed);
    }
    let attachment = Attachment {
        id: AttachmentId::random(rng),
        key: Arc::new(key),
        chunk_count,
        plaintext_size,
        ciphertext_digest: digest.finish(),
        media_type: media_type.to_owned(),
        filename: String::new(),
        caption: String::new(),
        thumbnail: Vec::new(),
    };
    Some(Blob { attachment, chunks })
}

/// Opens what `seal_blob` made; nothing of it is given out before count, sizes and digest agree.
pub fn open_blob<C: AsRef<[u8]>>(
    attachment: &Attachment,
    chunks: &[C],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    if chunks.len() != attachment.chunk_count as usize {
        return Err(CannotOpen);
    }
    let mut digest = RunningDigest::default();
    for chunk in chunks {
        digest.update(chunk.as_ref());
    }
    if digest.finish() != attachment.ciphertext_digest {
        return Err(CannotOpen);
    }
    let mut plaintext = Zeroizing::new(Vec::new());
    for (index, chunk) in (1..).zip(chunks) {
        plaintext.extend_from_slice(&open_chunk(&attachment.key, index, chunk.as_ref())?);
    }
    if plaintext.len() as u64 != attachment.plaintext_size {
        return Err(CannotOpen);
    }
    Ok(plaintext)
}

pub fn to_wire(attachment: &Attachment) -> wire::Attachment {
    wire::Attachment {
        attachment_id: attachment.id.to_vec(),
        key: attachment.key.expose().to_vec(),
        chunk_size: u32::try_from(CHUNK).unwrap_or(u32::MAX),
        chunk_count: attachment.chunk_count,
        plaintext_size: attachment.plaintext_size,
        ciphertext_sha256: attachment.ciphertext_digest.to_vec(),
        media_type: attachment.media_type.clone(),
        filename: attachment.filename.clone(),
        caption: attachment.caption.clone(),
        thumbnail: attachment.thumbnail.clone(),
    }
}

/// Every check of what a sender says, in order.
pub fn from_wire(wire: wire::Attachment) -> Result<Attachment, AttachmentRefused> {
    let malformed = AttachmentRefused::Malformed;
    let id = AttachmentId::try_from(wire.attachment_id.as_slice()).map_err(|_| malformed)?;
    let key = Zeroizing::new(wire.key);
    let key: &[u8; 32] = key.as_slice().try_into().map_err(|_| malformed)?;
    let digest = wire.ciphertext_sha256.as_slice();
    let ciphertext_digest = digest.try_into().map_err(|_| malformed)?;
    if u64::from(wire.chunk_size) != CHUNK as u64 {
        return Err(malformed);
    }
    match chunk_count(wire.plaintext_size) {
        None => return Err(AttachmentRefused::TooLarge),
        Some(count) if count != wire.chunk_count => return Err(AttachmentRefused::SizesDisagree),
        Some(_) => {}
    }
    if wire.thumbnail.len() > MAX_THUMBNAIL {
        return Err(AttachmentRefused::ThumbnailTooLarge);
    }
    if wire.filename.len() > MAX_FILENAME
        || wire.media_type.len() > MAX_MEDIA_TYPE
        || wire.caption.len() > routes::MAX_TEXT
    {
        return Err(AttachmentRefused::NameTooLong);
    }
    Ok(Attachment {
        id,
        key: Arc::new(AttachmentKey::from_bytes(key)),
        chunk_count: wire.chunk_count,
        plaintext_size: wire.plaintext_size,
        ciphertext_digest,
        media_type: wire.media_type,
        filename: wire.filename,
        caption: wire.caption,
        thumbnail: wire.thumbnail,
    })
}

#[cfg(test)]
mod tests;
