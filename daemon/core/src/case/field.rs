//! The fields of a case: blocks of information, each a chain of revisions (§3.6, D16).

use std::fmt;

use connect_proto::hash::{Digest, sha256};
use connect_proto::{codec, wire};

use crate::case::control::{is_plain, optional_digest};
use crate::refused::PayloadRefused;

/// Longest name and media type, in bytes.
pub const MAX_NAME: usize = 128;
/// Longest value, in bytes; what is longer is an attachment.
pub const MAX_VALUE: usize = 32 << 10;

/// A revision of a field.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    /// From 1.
    pub revision: u64,
    /// Of the revision before; none in the first.
    pub previous: Option<Digest>,
    pub media_type: String,
    pub value: Vec<u8>,
}

impl Field {
    pub fn digest(&self) -> Digest {
        sha256(&codec::encode(&to_wire(self)))
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({})", self.revision)
    }
}

pub fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && is_plain(name, MAX_NAME)
}

pub fn is_media_type(media_type: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_graphic() || b == b' ';
    media_type.len() <= MAX_NAME && media_type.contains('/') && media_type.bytes().all(allowed)
}

pub(crate) fn to_wire(field: &Field) -> wire::CaseField {
    wire::CaseField {
        name: field.name.clone(),
        revision: field.revision,
        previous_digest: field.previous.map(Vec::from).unwrap_or_default(),
        media_type: field.media_type.clone(),
        value: field.value.clone(),
    }
}

pub(crate) fn from_wire(wire: wire::CaseField) -> Result<Field, PayloadRefused> {
    let fits = is_name(&wire.name)
        && wire.revision > 0
        && (wire.revision == 1) == wire.previous_digest.is_empty()
        && is_media_type(&wire.media_type)
        && wire.value.len() <= MAX_VALUE;
    if !fits {
        return Err(PayloadRefused::Malformed);
    }
    Ok(Field {
        previous: optional_digest(&wire.previous_digest)?,
        name: wire.name,
        revision: wire.revision,
        media_type: wire.media_type,
        value: wire.value,
    })
}
