//! A message on its way in: every check, in order, each with the name of its refusal.

use connect_proto::codec;
use connect_proto::hash::Digest;
use connect_proto::ids::{GroupId, InstallationId, KeyId, MessageId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::wire;

use crate::boxes::SharedSecret;
use crate::message::{INNER_VERSION, Payload, from_wire};
use crate::nonce::Nonce;
use crate::padding::unpad;
use crate::refusal::Refusal;
use crate::refused::PayloadRefused;
pub use crate::standing::Standing;

/// How many retired keys are tried where the envelope names none (D24).
pub const MAX_RETIRED_TRIED: usize = 3;

/// An envelope whose outside has the right form, and our box in it.
#[derive(Debug)]
pub struct Header<'a> {
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    pub sender: UserId,
    pub group_id: Option<GroupId>,
    pub sender_key_id: Option<KeyId>,
    /// Which key of ours it was sealed to.
    pub recipient_key_id: Option<KeyId>,
    nonce: Nonce,
    sealed: &'a [u8],
}

/// Who reads.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub user_id: &'a UserId,
    pub box_key: &'a BoxPublicKey,
}

/// A key of the sender to try.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub box_key: &'a BoxPublicKey,
    pub shared: &'a SharedSecret,
    pub standing: Standing,
}

/// A message that passed every check.
#[derive(Debug, PartialEq, Eq)]
pub struct Opened {
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    pub sender: UserId,
    pub group_id: Option<GroupId>,
    pub installation_id: InstallationId,
    pub sequence: u64,
    /// The roster that its sender goes by (D17); none outside of groups, or where the sender has none.
    pub roster: Option<Digest>,
    /// It came under a key that the sender, or the reader, has replaced since (D24).
    pub retired_key: bool,
    pub payload: Payload,
}

/// The checks that need no key.
pub fn read_header<'a>(envelope: &'a wire::Envelope, me: &UserId) -> Result<Header<'a>, Refusal> {
    let message_id = MessageId::try_from(envelope.message_id.as_slice())
        .map_err(|_| Refusal::MalformedEnvelope)?;
    let sender = envelope
        .sender_id
        .parse()
        .map_err(|_| Refusal::MalformedEnvelope)?;
    let group_id = optional(&envelope.group_id, Refusal::MalformedEnvelope)?;
    if envelope.case_sealed.is_some() {
        return Err(Refusal::MalformedEnvelope);
    }
    let mine = envelope
        .sealed
        .iter()
        .find(|sealed| sealed.recipient_id == me.as_str())
        .ok_or(Refusal::NotAddressedToMe)?;
    Ok(Header {
        message_id,
        timestamp_ms: envelope.timestamp_ms,
        sender,
        group_id,
        sender_key_id: optional(&mine.sender_key_id, Refusal::MalformedEnvelope)?,
        recipient_key_id: optional(&mine.recipient_key_id, Refusal::MalformedEnvelope)?,
        nonce: Nonce::try_from(mine.nonce.as_slice()).map_err(|_| Refusal::BadNonce)?,
        sealed: &mine.r#box,
    })
}

/// Opens the box and holds what is inside against what is outside.
///
/// `candidates` are all known keys of the sender, the active one first, then newest first.
pub fn open(
    header: &Header<'_>,
    me: Reader<'_>,
    candidates: &[Candidate<'_>],
) -> Result<Opened, Refusal> {
    if candidates.is_empty() {
        return Err(Refusal::UnknownSender);
    }
    if header
        .recipient_key_id
        .is_some_and(|hint| hint != me.box_key.key_id())
    {
        return Err(Refusal::UnknownRecipientKey);
    }
    let (candidate, padded) = match header.sender_key_id {
        Some(hint) => {
            let candidate = candidates
                .iter()
                .find(|candidate| candidate.box_key.key_id() == hint)
                .ok_or(Refusal::UnknownSenderKey)?;
            let opened = candidate.shared.open(&header.nonce, header.sealed);
            (candidate, opened.map_err(|_| Refusal::CannotOpen)?)
        }
        None => try_in_turn(header, candidates)?,
    };
    candidate.standing.check(header.timestamp_ms)?;
    let content = unpad(&padded).map_err(|_| Refusal::BadPadding)?;
    let inner: wire::Inner = codec::decode(content).map_err(|_| Refusal::MalformedInner)?;
    check_version_and_bindings(&inner, header, me, candidate.box_key)?;
    finish(inner, header, candidate.standing != Standing::Active)
}

type Plaintext = zeroize::Zeroizing<Vec<u8>>;

fn try_in_turn<'c, 'k>(
    header: &Header<'_>,
    candidates: &'c [Candidate<'k>],
) -> Result<(&'c Candidate<'k>, Plaintext), Refusal> {
    let mut retired = 0;
    for candidate in candidates {
        if !matches!(candidate.standing, Standing::Active | Standing::Rejected) {
            retired += 1;
            if retired > MAX_RETIRED_TRIED {
                break;
            }
        }
        if let Ok(padded) = candidate.shared.open(&header.nonce, header.sealed) {
            return Ok((candidate, padded));
        }
    }
    Err(Refusal::CannotOpen)
}

/// crypto_box authenticates nothing but the pair of keys: the rest is compared here (D7).
fn check_version_and_bindings(
    inner: &wire::Inner,
    header: &Header<'_>,
    me: Reader<'_>,
    sender_key: &BoxPublicKey,
) -> Result<(), Refusal> {
    if inner.version != INNER_VERSION {
        return Err(Refusal::UnsupportedVersion);
    }
    let group_id = header.group_id.map(GroupId::to_vec).unwrap_or_default();
    let bound = inner.message_id == header.message_id.as_bytes()
        && inner.timestamp_ms == header.timestamp_ms
        && inner.sender_id == header.sender.as_str()
        && inner.sender_box_key == sender_key.as_bytes()
        && inner.recipient_id == me.user_id.as_str()
        && inner.recipient_box_key == me.box_key.as_bytes()
        && inner.group_id == group_id
        && inner.case_id.is_empty()
        && inner.case_epoch == 0;
    if bound {
        Ok(())
    } else {
        Err(Refusal::BindingMismatch)
    }
}

fn finish(inner: wire::Inner, header: &Header<'_>, retired_key: bool) -> Result<Opened, Refusal> {
    let installation_id = InstallationId::try_from(inner.installation_id.as_slice())
        .map_err(|_| Refusal::MalformedInner)?;
    let roster = optional(&inner.roster_digest, Refusal::MalformedInner)?;
    let payload = inner.payload.ok_or(Refusal::UnsupportedPayload)?;
    // What changes a case is signed, inside the case (D14).
    if matches!(
        payload,
        wire::inner::Payload::CaseField(_) | wire::inner::Payload::CaseControl(_)
    ) {
        return Err(Refusal::UnsupportedPayload);
    }
    let payload = from_wire(payload).map_err(PayloadRefused::refusal)?;
    // What is no word of its author's may stand outside of the order.
    let needs_a_number = matches!(
        payload,
        Payload::Text(_) | Payload::Attachment(_) | Payload::Edit { .. } | Payload::Delete { .. }
    );
    if inner.sequence == 0 && needs_a_number {
        return Err(Refusal::MalformedInner);
    }
    Ok(Opened {
        message_id: header.message_id,
        timestamp_ms: header.timestamp_ms,
        sender: header.sender.clone(),
        group_id: header.group_id,
        installation_id,
        sequence: inner.sequence,
        roster,
        retired_key,
        payload,
    })
}

/// An id that may be left out.
fn optional<'a, T: TryFrom<&'a [u8]>>(
    bytes: &'a [u8],
    refusal: Refusal,
) -> Result<Option<T>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    T::try_from(bytes).map(Some).map_err(|_| refusal)
}

#[cfg(test)]
mod tests;
