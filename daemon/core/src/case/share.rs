//! The keys of a case on their way to one participant, in a box of its own (§3.6, D16).

use std::fmt;

use connect_proto::hash::Digest;
use connect_proto::ids::{AttachmentId, CaseId};
use connect_proto::wire;
use zeroize::{Zeroize as _, Zeroizing};

use crate::attachment::{self, Attachment};
use crate::refused::PayloadRefused;
use crate::secret::CaseKey;

/// Keys in one share at most: they fit into one box.
pub const MAX_KEYS: usize = 1000;
/// Copies in one share at most: beside one key they fit into one box.
pub const MAX_COPIES: usize = 1000;

/// What a participant reads a case with.
pub struct KeyShare {
    pub case_id: CaseId,
    /// Of the epochs that the participant may read, the oldest first. Of several of one epoch the first is the one that its
    /// sender writes under. What is too much for one share is in others of the same revision.
    pub keys: Vec<(u32, CaseKey)>,
    /// Of the revision of the case that the share belongs to.
    pub control: Digest,
    /// Where a late joiner finds all that was written before: a `CaseLog`.
    pub history: Option<Attachment>,
    /// Where a late joiner finds attachments of before: the id that the signed entry has, and that of the copy.
    pub copies: Vec<(AttachmentId, AttachmentId)>,
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyShare(..)")
    }
}

impl PartialEq for KeyShare {
    fn eq(&self, other: &Self) -> bool {
        let same_key =
            |((epoch, key), (other_epoch, other_key)): (&(u32, CaseKey), &(u32, CaseKey))| {
                epoch == other_epoch && key.is(other_key)
            };
        self.case_id == other.case_id
            && self.control == other.control
            && self.history == other.history
            && self.copies == other.copies
            && self.keys.len() == other.keys.len()
            && self.keys.iter().zip(&other.keys).all(same_key)
    }
}

impl Eq for KeyShare {}

pub(crate) fn to_wire(share: &KeyShare) -> wire::CaseKeyShare {
    wire::CaseKeyShare {
        case_id: share.case_id.to_vec(),
        keys: share
            .keys
            .iter()
            .map(|(epoch, key)| wire::EpochKey {
                epoch: *epoch,
                key: key.expose().to_vec(),
            })
            .collect(),
        control_digest: share.control.to_vec(),
        history: share.history.as_ref().map(attachment::to_wire),
        copies: share
            .copies
            .iter()
            .map(|(id, copy)| wire::AttachmentCopy {
                attachment_id: id.to_vec(),
                copy_id: copy.to_vec(),
            })
            .collect(),
    }
}

pub(crate) fn from_wire(mut wire: wire::CaseKeyShare) -> Result<KeyShare, PayloadRefused> {
    let malformed = PayloadRefused::Malformed;
    let rises = wire.keys.is_sorted_by_key(|one| one.epoch);
    let is_too_much = wire.keys.len() > MAX_KEYS || wire.copies.len() > MAX_COPIES;
    if wire.keys.is_empty() || is_too_much || !rises || wire.keys[0].epoch == 0 {
        return Err(malformed);
    }
    let mut keys = Vec::with_capacity(wire.keys.len());
    for one in &mut wire.keys {
        let bytes =
            Zeroizing::new(<[u8; 32]>::try_from(one.key.as_slice()).map_err(|_| malformed)?);
        one.key.zeroize();
        keys.push((one.epoch, CaseKey::from_bytes(&bytes)));
    }
    Ok(KeyShare {
        case_id: wire.case_id.as_slice().try_into().map_err(|_| malformed)?,
        keys,
        control: wire
            .control_digest
            .as_slice()
            .try_into()
            .map_err(|_| malformed)?,
        history: wire
            .history
            .map(attachment::from_wire)
            .transpose()
            .map_err(PayloadRefused::Attachment)?,
        copies: wire
            .copies
            .iter()
            .map(copy)
            .collect::<Option<_>>()
            .ok_or(malformed)?,
    })
}

fn copy(wire: &wire::AttachmentCopy) -> Option<(AttachmentId, AttachmentId)> {
    let id = wire.attachment_id.as_slice().try_into().ok()?;
    Some((id, wire.copy_id.as_slice().try_into().ok()?))
}
