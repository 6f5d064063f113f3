//! A message on its way out: bound to its envelope (D7), padded (D6), boxed once per recipient.

use connect_proto::codec;
use connect_proto::hash::Digest;
use connect_proto::ids::{GroupId, InstallationId, MessageId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::wire;
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::boxes::SharedSecret;
use crate::message::{INNER_VERSION, Payload, to_wire};
use crate::nonce::Nonce;
use crate::padding::{TooLong, pad};

/// Who sends.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    pub user_id: &'a UserId,
    pub box_key: &'a BoxPublicKey,
    pub installation_id: InstallationId,
}

/// What is sent; its id is fixed from here on (D20).
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    pub group_id: Option<GroupId>,
    /// The roster that it goes by, where there is one (D17).
    pub roster: Option<Digest>,
    /// 0 outside of the order; otherwise from 1, per conversation of this installation (D13).
    pub sequence: u64,
    /// Not worth keeping for longer than a minute (§8.2).
    pub ephemeral: bool,
    pub payload: &'a Payload,
}

/// To whom.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    pub user_id: &'a UserId,
    pub box_key: &'a BoxPublicKey,
    pub shared: &'a SharedSecret,
    /// What this one gets in place of the draft's payload.
    pub instead: Option<&'a Payload>,
}

/// Seals a draft for every recipient: one envelope (D18).
pub fn seal(
    sender: Sender<'_>,
    draft: Draft<'_>,
    recipients: &[Recipient<'_>],
    rng: &mut impl CryptoRngCore,
) -> Result<wire::Envelope, TooLong> {
    let sealed = seal_boxes(sender, draft, recipients, rng)?;
    Ok(envelope(sender, draft, sealed))
}

/// What is around the boxes of all recipients.
pub fn envelope(sender: Sender<'_>, draft: Draft<'_>, sealed: Vec<wire::Sealed>) -> wire::Envelope {
    wire::Envelope {
        message_id: draft.message_id.to_vec(),
        timestamp_ms: draft.timestamp_ms,
        sender_id: sender.user_id.as_str().to_owned(),
        group_id: draft.group_id.map(GroupId::to_vec).unwrap_or_default(),
        sealed,
        ephemeral: draft.ephemeral,
        ..wire::Envelope::default()
    }
}

/// A box for each of them, in their order: many are sealed in several parts at once.
pub fn seal_boxes(
    sender: Sender<'_>,
    draft: Draft<'_>,
    recipients: &[Recipient<'_>],
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<wire::Sealed>, TooLong> {
    let mut inner = wire::Inner {
        version: INNER_VERSION,
        message_id: draft.message_id.to_vec(),
        timestamp_ms: draft.timestamp_ms,
        sender_id: sender.user_id.as_str().to_owned(),
        sender_box_key: sender.box_key.to_vec(),
        group_id: draft.group_id.map(GroupId::to_vec).unwrap_or_default(),
        installation_id: sender.installation_id.to_vec(),
        sequence: draft.sequence,
        roster_digest: draft.roster.map(|it| it.to_vec()).unwrap_or_default(),
        payload: Some(to_wire(draft.payload)),
        ..wire::Inner::default()
    };
    let mut sealed = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        inner.recipient_id = recipient.user_id.as_str().to_owned();
        inner.recipient_box_key = recipient.box_key.to_vec();
        let own = recipient.instead.map(|payload| wire::Inner {
            payload: Some(to_wire(payload)),
            ..inner.clone()
        });
        let content = Zeroizing::new(codec::encode(own.as_ref().unwrap_or(&inner)));
        let padded = pad(&content)?;
        let nonce = Nonce::random(rng);
        sealed.push(wire::Sealed {
            recipient_id: recipient.user_id.as_str().to_owned(),
            sender_key_id: sender.box_key.key_id().to_vec(),
            recipient_key_id: recipient.box_key.key_id().to_vec(),
            nonce: nonce.as_bytes().to_vec(),
            r#box: recipient.shared.seal(&nonce, &padded),
        });
    }
    Ok(sealed)
}
