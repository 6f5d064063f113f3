//! An entry of a case on its way in: every check, in order, each with the name of its refusal.

use connect_proto::hash::Digest;
use connect_proto::ids::{CaseId, InstallationId, KeyId, MessageId, UserId};
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use connect_proto::sign::{Purpose, verify};
use connect_proto::{codec, wire};

use crate::message::{INNER_VERSION, Payload, from_wire};
use crate::nonce::Nonce;
use crate::padding::unpad;
use crate::refusal::Refusal;
use crate::refused::PayloadRefused;
use crate::secret::CaseKey;
use crate::secretbox::open_apart;
use crate::standing::Standing;

/// What anyone can read of an entry: which key it needs.
#[derive(Debug)]
pub struct Outside<'a> {
    pub case_id: CaseId,
    pub epoch: u32,
    nonce: Nonce,
    sealed: &'a [u8],
}

/// What its envelope says besides.
#[derive(Debug)]
pub struct Header<'a> {
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    pub sender: UserId,
    pub outside: Outside<'a>,
}

/// A pair of keys that the author published.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    pub sign_key: &'a SignPublicKey,
    pub box_key: &'a BoxPublicKey,
    pub standing: Standing,
}

/// Out of its box; whoever has the case's key can have written it.
pub struct Unverified {
    case_id: CaseId,
    epoch: u32,
    signed: wire::SignedInner,
    inner: wire::Inner,
    pub sender: UserId,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
}

impl std::fmt::Debug for Unverified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unverified(..)")
    }
}

/// An entry whose author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub case_id: CaseId,
    pub epoch: u32,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    pub sender: UserId,
    pub installation_id: InstallationId,
    pub sequence: u64,
    /// The revision of the case that its author knew.
    pub roster: Option<Digest>,
    /// It came under a key that its author has replaced since (D24).
    pub retired_key: bool,
    pub payload: Payload,
}

/// The checks of the envelope that need no key.
pub fn read_header<'a>(envelope: &'a wire::Envelope, me: &UserId) -> Result<Header<'a>, Refusal> {
    let malformed = Refusal::MalformedEnvelope;
    let case = envelope.case_sealed.as_ref().ok_or(malformed)?;
    let header = Header {
        message_id: envelope
            .message_id
            .as_slice()
            .try_into()
            .map_err(|_| malformed)?,
        timestamp_ms: envelope.timestamp_ms,
        sender: envelope.sender_id.parse().map_err(|_| malformed)?,
        outside: read_outside(case)?,
    };
    if !envelope.sealed.is_empty() || !envelope.group_id.is_empty() {
        return Err(malformed);
    }
    if case.recipient_ids.iter().all(|id| id != me.as_str()) {
        return Err(Refusal::NotAddressedToMe);
    }
    Ok(header)
}

/// The same for an entry of a `CaseLog`, which has no envelope.
pub fn read_outside(case: &wire::CaseSealed) -> Result<Outside<'_>, Refusal> {
    let case_id = CaseId::try_from(case.case_id.as_slice());
    Ok(Outside {
        case_id: case_id.map_err(|_| Refusal::MalformedEnvelope)?,
        epoch: case.epoch,
        nonce: Nonce::try_from(case.nonce.as_slice()).map_err(|_| Refusal::BadNonce)?,
        sealed: &case.r#box,
    })
}

/// Opens the secretbox. `keys` are those of its epoch: two, where two participants began it at the same time.
pub fn decrypt<'k>(
    outside: &Outside<'_>,
    keys: impl IntoIterator<Item = &'k CaseKey>,
) -> Result<Unverified, Refusal> {
    let mut refusal = Refusal::UnknownEpoch;
    for key in keys {
        match open_apart(key, &outside.nonce, outside.sealed) {
            Ok(padded) => return read_inside(outside, &padded),
            Err(_) => refusal = Refusal::CannotOpen,
        }
    }
    Err(refusal)
}

fn read_inside(outside: &Outside<'_>, padded: &[u8]) -> Result<Unverified, Refusal> {
    let content = unpad(padded).map_err(|_| Refusal::BadPadding)?;
    let malformed = Refusal::MalformedInner;
    let signed: wire::SignedInner = codec::decode(content).map_err(|_| malformed)?;
    let inner: wire::Inner = codec::decode(&signed.inner).map_err(|_| malformed)?;
    if inner.version != INNER_VERSION {
        return Err(Refusal::UnsupportedVersion);
    }
    Ok(Unverified {
        case_id: outside.case_id,
        epoch: outside.epoch,
        sender: inner.sender_id.parse().map_err(|_| malformed)?,
        message_id: inner
            .message_id
            .as_slice()
            .try_into()
            .map_err(|_| malformed)?,
        timestamp_ms: inner.timestamp_ms,
        signed,
        inner,
    })
}

impl Unverified {
    /// Holds what is inside against the envelope that it came in (D7).
    pub fn check_header(&self, header: &Header<'_>) -> Result<(), Refusal> {
        let bound = self.message_id == header.message_id
            && self.timestamp_ms == header.timestamp_ms
            && self.sender == header.sender;
        if bound {
            Ok(())
        } else {
            Err(Refusal::BindingMismatch)
        }
    }

    /// Whether the author whom it names signed it, with a key that may still speak. `signers` are all known pairs of keys
    /// of that author.
    pub fn verify(self, signers: &[Signer<'_>]) -> Result<Opened, Refusal> {
        if signers.is_empty() {
            return Err(Refusal::UnknownSender);
        }
        let key_id = KeyId::try_from(self.signed.sign_key_id.as_slice())
            .map_err(|_| Refusal::MalformedInner)?;
        let signer = signers
            .iter()
            .find(|signer| signer.sign_key.key_id() == key_id)
            .ok_or(Refusal::UnknownSenderKey)?;
        verify(
            Purpose::Case,
            &self.signed.inner,
            &self.signed.signature,
            signer.sign_key,
        )
        .map_err(|_| Refusal::BadSignature)?;
        signer.standing.check(self.timestamp_ms)?;
        self.check_bindings(signer)?;
        self.finish(signer.standing != Standing::Active)
    }

    /// The signature is the author's: what it is for is compared here (D7).
    fn check_bindings(&self, signer: &Signer<'_>) -> Result<(), Refusal> {
        let inner = &self.inner;
        let bound = inner.sender_box_key == signer.box_key.as_bytes()
            && inner.case_id == self.case_id.as_bytes()
            && inner.case_epoch == self.epoch
            && inner.group_id.is_empty()
            && inner.recipient_id.is_empty()
            && inner.recipient_box_key.is_empty();
        if bound {
            Ok(())
        } else {
            Err(Refusal::BindingMismatch)
        }
    }

    fn finish(self, retired_key: bool) -> Result<Opened, Refusal> {
        let malformed = Refusal::MalformedInner;
        let installation_id = self.inner.installation_id.as_slice().try_into();
        let roster = match self.inner.roster_digest.as_slice() {
            [] => None,
            digest => Some(digest.try_into().map_err(|_| malformed)?),
        };
        let payload = self.inner.payload.ok_or(Refusal::UnsupportedPayload)?;
        let payload = from_wire(payload).map_err(PayloadRefused::refusal)?;
        if self.inner.sequence == 0 {
            return Err(malformed);
        }
        // Keys go to one participant, in a box that is not the case's.
        if matches!(payload, Payload::CaseKeyShare(_)) {
            return Err(Refusal::UnsupportedPayload);
        }
        if roster.is_none()
            && !matches!(&payload, Payload::CaseControl(control) if control.revision == 1)
        {
            return Err(malformed);
        }
        Ok(Opened {
            case_id: self.case_id,
            epoch: self.epoch,
            message_id: self.message_id,
            timestamp_ms: self.timestamp_ms,
            sender: self.sender,
            installation_id: installation_id.map_err(|_| malformed)?,
            sequence: self.inner.sequence,
            roster,
            retired_key,
            payload,
        })
    }
}
