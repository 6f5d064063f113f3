//! Files within an export: where the form has kept a place for one, its bytes go out as Base64, chunk by chunk.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect_proto::ids::AttachmentId;
use connect_store::attachments::Attached;
use connect_store::codes::AttachmentState;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::attachments::read;
use crate::error::Error;
use crate::unlocked::Unlocked;

/// Stands where a file's bytes belong, and is nowhere else: it is of chance, which nobody who wrote a message knew.
#[derive(Clone, PartialEq, Eq)]
pub struct Slot(String);

/// What goes out next.
#[derive(Debug)]
pub(super) enum Piece {
    Text(Vec<u8>),
    File(AttachmentId, u64),
}

impl Slot {
    pub(super) fn random(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(hex::encode(bytes))
    }

    /// Legal, and the same, in JSON, HTML and a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slot(..)")
    }
}

impl Piece {
    /// In bytes, as they go out.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Text(bytes) => bytes.len() as u64,
            Self::File(_, size) => size.div_ceil(3) * 4,
        }
    }
}

/// Which files are in an export: decided as it is measured, and not again.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    up_to_bytes: Option<u64>,
    decided: BTreeMap<AttachmentId, bool>,
}

impl Choice {
    pub(super) fn new(up_to_bytes: Option<u64>) -> Self {
        Self {
            up_to_bytes,
            decided: BTreeMap::new(),
        }
    }

    /// What is small enough, and here whole. Of an empty file there is nothing that could be in it.
    pub(super) async fn has(
        &mut self,
        unlocked: &Unlocked,
        attached: &Attached,
    ) -> Result<bool, Error> {
        let is_wanted = |most| (1..=most).contains(&attached.size);
        if !self.up_to_bytes.is_some_and(is_wanted) {
            return Ok(false);
        }
        // One that only pretends to be another, under its id, is never here.
        let is_here = matches!(
            attached.state,
            AttachmentState::Ready | AttachmentState::Uploading
        );
        if !is_here {
            return Ok(false);
        }
        let id = attached.attachment_id;
        if let Some(is_in) = self.decided.get(&id) {
            return Ok(*is_in);
        }
        let is_in = read::is_whole(unlocked, id, attached.size).await?;
        self.decided.insert(id, is_in);
        Ok(is_in)
    }
}

/// Cuts what a form wrote where files belong, which are named in their order.
pub(super) fn cut(mut text: Vec<u8>, files: Vec<(Slot, Piece)>) -> Result<Vec<Piece>, Error> {
    let mut pieces = Vec::new();
    for (slot, file) in files {
        let found = std::str::from_utf8(&text).ok();
        let place = found.and_then(|text| text.find(slot.as_str()));
        let place = place.ok_or(Error::Internal("a form has left a file out"))?;
        let rest = text.split_off(place + slot.as_str().len());
        text.truncate(place);
        pieces.extend([Piece::Text(text), file]);
        text = rest;
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

/// A file on its way out.
#[derive(Debug)]
pub(super) struct Filling {
    reading: read::Reading,
    /// Base64 takes three bytes at a time.
    rest: Zeroizing<Vec<u8>>,
}

impl Filling {
    pub(super) async fn begin(unlocked: &Arc<Unlocked>, id: AttachmentId) -> Result<Self, Error> {
        Ok(Self {
            reading: read::open(unlocked, id).await?,
            rest: Zeroizing::default(),
        })
    }

    /// The next of it; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(chunk) = self.reading.next().await? else {
            let last = std::mem::take(&mut self.rest);
            return Ok((!last.is_empty()).then(|| STANDARD.encode(&*last).into_bytes()));
        };
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(&chunk);
        let whole = bytes.len() - bytes.len() % 3;
        self.rest = Zeroizing::new(bytes[whole..].to_vec());
        Ok(Some(STANDARD.encode(&bytes[..whole]).into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_where_its_files_belong() {
        let id = AttachmentId::from_bytes([1; 16]);
        let file = |slot: &str, size| (Slot(slot.to_owned()), Piece::File(id, size));
        let files = vec![file("<first>", 0), file("<second>", 4)];
        let pieces = cut(b"a<first>b<second>c".to_vec(), files).unwrap();
        let told = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Piece::File(_, size) => format!("{size}: {}", piece.len()),
        });
        assert_eq!(told.collect::<Vec<_>>(), ["a", "0: 0", "b", "4: 8", "c"]);
    }
}
