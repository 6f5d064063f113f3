//! The file: a header that anyone reads, and a sealed stream of a manifest and the database behind it.
//!
//! `magic(16) || version(4) || length(4) || header || chunks`, numbers little-endian. The header holds the boxes that lead
//! from the recovery key to the backup's own key; the manifest, in the first chunk, holds the digest of all before it.

use connect_proto::hash::Digest;
use connect_store::contents::Contents;
use connect_vault::vault::portable::Portable;
use serde::{Deserialize, Serialize};

pub const MAGIC: [u8; 16] = *b"connect-backup\0\0";
pub const VERSION: u32 = 1;
const PREFIX: usize = MAGIC.len() + 8;
/// A header is about 1 KiB.
const LONGEST_HEADER: usize = 64 << 10;
const LONGEST_MANIFEST: usize = 8 << 10;
/// Before the manifest.
const LENGTH: usize = 4;

/// Why a file gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it is no backup")]
    NotABackup,
    #[error("the backup was made by a newer version")]
    Newer,
    #[error("the recovery key does not open this backup")]
    WrongKey,
    #[error("the backup is damaged, cut or was changed")]
    Damaged,
}

/// Ciphertext, and whose it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub(crate) keys: Portable,
    /// The backup's own key, under the local-file key of `keys`.
    #[serde(with = "hex::serde")]
    pub(crate) backup_key: Vec<u8>,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("no map, no float: it serializes");
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&length(&json));
        bytes.extend_from_slice(&json);
        bytes
    }

    /// The header at the beginning of what there is by now, and how long it is; none where more is needed.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Unreadable> {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(Unreadable::NotABackup);
        }
        let Some((prefix, rest)) = bytes.split_at_checked(PREFIX) else {
            return Ok(None);
        };
        let (version, length) = prefix[MAGIC.len()..].split_at(4);
        match number(version) {
            1 => {}
            0 => return Err(Unreadable::NotABackup),
            _ => return Err(Unreadable::Newer),
        }
        let length = usize::try_from(number(length)).unwrap_or(usize::MAX);
        if length > LONGEST_HEADER {
            return Err(Unreadable::Damaged);
        }
        let Some(json) = rest.get(..length) else {
            return Ok(None);
        };
        let header: Self = serde_json::from_slice(json).map_err(|_| Unreadable::Damaged)?;
        if !header.keys.is_well_formed() {
            return Err(Unreadable::Damaged);
        }
        Ok(Some((header, PREFIX + length)))
    }
}

/// What a backup says of itself, sealed in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// SHA-256 of every byte before the chunks.
    #[serde(with = "hex::serde")]
    pub(crate) header: Digest,
    pub taken_ms: u64,
    /// Bytes of the database's file, and their SHA-256.
    pub database_bytes: u64,
    #[serde(with = "hex::serde")]
    pub(crate) database_sha256: Digest,
    pub contents: Counts,
}

/// The database in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub last_event_id: u64,
    pub messages: u64,
    pub contacts: u64,
    pub conversations: u64,
    pub events: u64,
    pub queued: u64,
    pub quarantined: u64,
    pub audit_entries: u64,
    pub audit_head: Option<String>,
}

impl From<Contents> for Counts {
    fn from(found: Contents) -> Self {
        Self {
            last_event_id: found.last_event_id,
            messages: found.messages,
            contacts: found.contacts,
            conversations: found.conversations,
            events: found.events,
            queued: found.queued,
            quarantined: found.quarantined,
            audit_entries: found.audit_entries,
            audit_head: found.audit_head.map(hex::encode),
        }
    }
}

impl Manifest {
    /// As it stands before the database in the stream.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("no map, no float: it serializes");
        let mut bytes = length(&json).to_vec();
        bytes.extend_from_slice(&json);
        bytes
    }

    /// From the first chunk, which holds all of it. Returns where the database begins.
    pub fn read(content: &[u8]) -> Result<(Self, usize), Unreadable> {
        let (prefix, rest) = content
            .split_at_checked(LENGTH)
            .ok_or(Unreadable::Damaged)?;
        let length = usize::try_from(number(prefix)).unwrap_or(usize::MAX);
        if length > LONGEST_MANIFEST {
            return Err(Unreadable::Damaged);
        }
        let json = rest.get(..length).ok_or(Unreadable::Damaged)?;
        let manifest = serde_json::from_slice(json).map_err(|_| Unreadable::Damaged)?;
        Ok((manifest, LENGTH + length))
    }
}

fn length(json: &[u8]) -> [u8; 4] {
    u32::try_from(json.len()).expect("a few KiB").to_le_bytes()
}

fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
}
