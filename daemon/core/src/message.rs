//! What people say to each other, once it is out of its box.

use std::fmt;
use std::sync::Arc;

use connect_proto::ids::{MessageId, UserId};
use connect_proto::{codec, routes, wire};
use zeroize::Zeroizing;

use crate::attachment::{self, Attachment};
use crate::case::control::{self, Control};
use crate::case::field::{self, Field};
use crate::case::share::{self, KeyShare};
use crate::group::GroupControl;
pub use crate::refused::PayloadRefused;

/// The version of `Inner` that is written, and the only one that is read.
pub const INNER_VERSION: u32 = 1;

/// A message is (sender, message id) (D12); the time is what its sender said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRef {
    pub sender: UserId,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    pub body: String,
    pub reply_to: Option<MessageRef>,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(..)")
    }
}

/// How far a message has come at its recipient (§8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptKind {
    Delivered,
    Read,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub kind: ReceiptKind,
    pub messages: Vec<MessageRef>,
    pub at_ms: u64,
}

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    Text(Text),
    /// Whether its author is writing right now.
    Typing(bool),
    Receipt(Receipt),
    /// Bytes that lie at the relay, with their key (D15).
    Attachment(Box<Attachment>),
    /// Another text for a message of the same author (D12).
    Edit {
        target: MessageRef,
        text: Text,
    },
    /// A message of the same author is not to be shown any more (D12).
    Delete {
        target: MessageRef,
    },
    /// Messages that did not arrive (D13): two are the ends of a range.
    ResendRequest(Vec<MessageRef>),
    /// A patient case as it is from now on (§8.2.3).
    CaseControl(Control),
    /// A field of a patient case (§3.6).
    CaseField(Field),
    /// The keys of a patient case, to one participant (§3.6).
    CaseKeyShare(Arc<KeyShare>),
    /// A revision of a group's roster (D17).
    GroupControl(GroupControl),
}

/// As it is kept, to be sealed again.
pub fn encode(payload: &Payload) -> Zeroizing<Vec<u8>> {
    let inner = wire::Inner {
        payload: Some(to_wire(payload)),
        ..wire::Inner::default()
    };
    Zeroizing::new(codec::encode(&inner))
}

pub fn decode(bytes: &[u8]) -> Result<Payload, PayloadRefused> {
    let inner: wire::Inner = codec::decode(bytes).map_err(|_| PayloadRefused::Malformed)?;
    from_wire(inner.payload.ok_or(PayloadRefused::Unsupported)?)
}

pub(crate) fn to_wire(payload: &Payload) -> wire::inner::Payload {
    use wire::inner::Payload as Wire;
    match payload {
        Payload::Text(text) => Wire::Text(text_to_wire(text)),
        Payload::Typing(active) => Wire::Typing(wire::Typing { active: *active }),
        Payload::Receipt(receipt) => Wire::Receipt(wire::Receipt {
            kind: match receipt.kind {
                ReceiptKind::Delivered => wire::receipt::Kind::Delivered,
                ReceiptKind::Read => wire::receipt::Kind::Read,
            }
            .into(),
            messages: receipt.messages.iter().map(reference_to_wire).collect(),
            at_ms: receipt.at_ms,
        }),
        Payload::Attachment(said) => Wire::Attachment(attachment::to_wire(said)),
        Payload::Edit { target, text } => Wire::Edit(wire::Edit {
            target: Some(reference_to_wire(target)),
            text: Some(text_to_wire(text)),
        }),
        Payload::Delete { target } => Wire::Delete(wire::Delete {
            target: Some(reference_to_wire(target)),
        }),
        Payload::ResendRequest(messages) => Wire::ResendRequest(wire::ResendRequest {
            messages: messages.iter().map(reference_to_wire).collect(),
        }),
        Payload::CaseControl(control) => Wire::CaseControl(control::to_wire(control)),
        Payload::CaseField(field) => Wire::CaseField(field::to_wire(field)),
        Payload::CaseKeyShare(share) => Wire::CaseKeyShare(share::to_wire(share)),
        Payload::GroupControl(control) => Wire::GroupControl(control.to_wire()),
    }
}

fn text_to_wire(text: &Text) -> wire::Text {
    wire::Text {
        body: text.body.clone(),
        reply_to: text.reply_to.as_ref().map(reference_to_wire),
    }
}

fn reference_to_wire(reference: &MessageRef) -> wire::MessageRef {
    wire::MessageRef {
        sender_id: reference.sender.as_str().to_owned(),
        message_id: reference.message_id.to_vec(),
        timestamp_ms: reference.timestamp_ms,
    }
}

pub(crate) fn from_wire(payload: wire::inner::Payload) -> Result<Payload, PayloadRefused> {
    use wire::inner::Payload as Wire;
    Ok(match payload {
        Wire::Text(text) => Payload::Text(read_text(text)?),
        Wire::Typing(typing) => Payload::Typing(typing.active),
        Wire::Receipt(receipt) => Payload::Receipt(Receipt {
            kind: match wire::receipt::Kind::try_from(receipt.kind) {
                Ok(wire::receipt::Kind::Delivered) => ReceiptKind::Delivered,
                Ok(wire::receipt::Kind::Read) => ReceiptKind::Read,
                Err(_) => return Err(PayloadRefused::Unsupported),
            },
            messages: references(&receipt.messages)?,
            at_ms: receipt.at_ms,
        }),
        Wire::Attachment(said) => {
            let said = attachment::from_wire(said).map_err(PayloadRefused::Attachment)?;
            Payload::Attachment(Box::new(said))
        }
        Wire::Edit(edit) => Payload::Edit {
            target: target(edit.target.as_ref())?,
            text: read_text(edit.text.ok_or(PayloadRefused::Malformed)?)?,
        },
        Wire::Delete(delete) => Payload::Delete {
            target: target(delete.target.as_ref())?,
        },
        Wire::ResendRequest(request) => Payload::ResendRequest(references(&request.messages)?),
        Wire::CaseControl(control) => Payload::CaseControl(control::from_wire(control)?),
        Wire::CaseField(field) => Payload::CaseField(field::from_wire(field)?),
        Wire::CaseKeyShare(share) => Payload::CaseKeyShare(Arc::new(share::from_wire(share)?)),
        Wire::GroupControl(control) => Payload::GroupControl(
            GroupControl::from_wire(&control).map_err(|_| PayloadRefused::Malformed)?,
        ),
    })
}

fn read_text(text: wire::Text) -> Result<Text, PayloadRefused> {
    if text.body.is_empty() || text.body.len() > routes::MAX_TEXT {
        return Err(PayloadRefused::Malformed);
    }
    let reply_to = text.reply_to.as_ref().map(reference).transpose()?;
    Ok(Text {
        body: text.body,
        reply_to,
    })
}

fn target(wire: Option<&wire::MessageRef>) -> Result<MessageRef, PayloadRefused> {
    reference(wire.ok_or(PayloadRefused::Malformed)?)
}

/// Something that refers to nothing says nothing.
fn references(wire: &[wire::MessageRef]) -> Result<Vec<MessageRef>, PayloadRefused> {
    if wire.is_empty() {
        return Err(PayloadRefused::Malformed);
    }
    wire.iter().map(reference).collect()
}

fn reference(wire: &wire::MessageRef) -> Result<MessageRef, PayloadRefused> {
    Ok(MessageRef {
        sender: wire
            .sender_id
            .parse()
            .map_err(|_| PayloadRefused::Malformed)?,
        message_id: MessageId::try_from(wire.message_id.as_slice())
            .map_err(|_| PayloadRefused::Malformed)?,
        timestamp_ms: wire.timestamp_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(n: u8) -> MessageRef {
        MessageRef {
            sender: "alice".parse().unwrap(),
            message_id: MessageId::from_bytes([n; 16]),
            timestamp_ms: 1_790_000_000_000,
        }
    }

    #[test]
    fn what_was_encoded_is_decoded_and_half_of_it_is_not() {
        let text = Text {
            body: "text".to_owned(),
            reply_to: Some(reference(1)),
        };
        let rng = &mut <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(1);
        let film = attachment::seal_blob(b"film", "image/png", rng)
            .unwrap()
            .attachment;
        for payload in [
            Payload::Text(text.clone()),
            Payload::Typing(true),
            Payload::Receipt(Receipt {
                kind: ReceiptKind::Read,
                messages: vec![reference(2), reference(3)],
                at_ms: 7,
            }),
            Payload::Edit {
                target: reference(4),
                text,
            },
            Payload::Delete {
                target: reference(5),
            },
            Payload::ResendRequest(vec![reference(6)]),
            Payload::Attachment(Box::new(film)),
        ] {
            let bytes = encode(&payload);
            assert_eq!(decode(&bytes), Ok(payload));
            assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        }
        assert_eq!(decode(&[]), Err(PayloadRefused::Unsupported));
    }

    #[test]
    fn what_refers_to_nothing_is_malformed() {
        for payload in [
            wire::inner::Payload::Edit(wire::Edit::default()),
            wire::inner::Payload::Delete(wire::Delete::default()),
            wire::inner::Payload::Receipt(wire::Receipt::default()),
            wire::inner::Payload::ResendRequest(wire::ResendRequest::default()),
        ] {
            assert_eq!(from_wire(payload), Err(PayloadRefused::Malformed));
        }
    }
}
