//! An entry of a case on its way out: signed by its author (D14), padded, sealed once for all participants.

use connect_proto::hash::Digest;
use connect_proto::ids::{CaseId, InstallationId, MessageId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::sign::{Purpose, SignSecretKey};
use connect_proto::{codec, wire};
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::message::{INNER_VERSION, Payload, to_wire};
use crate::nonce::Nonce;
use crate::padding::{TooLong, pad};
use crate::secret::CaseKey;
use crate::secretbox::seal_apart;

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    pub user_id: &'a UserId,
    pub box_key: &'a BoxPublicKey,
    pub sign_key: &'a SignSecretKey,
    pub installation_id: InstallationId,
}

/// What is written; its id is fixed from here on (D20).
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub case_id: CaseId,
    pub epoch: u32,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    /// From 1, per case of this installation (D13).
    pub sequence: u64,
    /// The revision of the case that it was written under; none for the first revision itself.
    pub roster: Option<Digest>,
    pub ephemeral: bool,
    pub payload: &'a Payload,
}

/// Signs, pads and seals: one envelope for all its readers (§8.2.3).
pub fn seal(
    author: Author<'_>,
    entry: Entry<'_>,
    key: &CaseKey,
    readers: &[UserId],
    rng: &mut impl CryptoRngCore,
) -> Result<wire::Envelope, TooLong> {
    let inner = Zeroizing::new(codec::encode(&wire::Inner {
        version: INNER_VERSION,
        message_id: entry.message_id.to_vec(),
        timestamp_ms: entry.timestamp_ms,
        sender_id: author.user_id.to_string(),
        sender_box_key: author.box_key.to_vec(),
        case_id: entry.case_id.to_vec(),
        case_epoch: entry.epoch,
        installation_id: author.installation_id.to_vec(),
        sequence: entry.sequence,
        roster_digest: entry.roster.map(Vec::from).unwrap_or_default(),
        payload: Some(to_wire(entry.payload)),
        ..wire::Inner::default()
    }));
    let signed = wire::SignedInner {
        sign_key_id: author.sign_key.public_key().key_id().to_vec(),
        signature: author.sign_key.sign(Purpose::Case, &inner).to_vec(),
        inner: inner.to_vec(),
    };
    let padded = pad(&Zeroizing::new(codec::encode(&signed)))?;
    let nonce = Nonce::random(rng);
    Ok(wire::Envelope {
        message_id: entry.message_id.to_vec(),
        timestamp_ms: entry.timestamp_ms,
        sender_id: author.user_id.to_string(),
        case_sealed: Some(wire::CaseSealed {
            case_id: entry.case_id.to_vec(),
            epoch: entry.epoch,
            nonce: nonce.as_bytes().to_vec(),
            r#box: seal_apart(key, &nonce, &padded),
            recipient_ids: readers.iter().map(UserId::to_string).collect(),
        }),
        ephemeral: entry.ephemeral,
        ..wire::Envelope::default()
    })
}
