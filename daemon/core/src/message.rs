//! What people say to each other, once it is out of its box.

use std::fmt;

use connect_proto::ids::{MessageId, UserId};
use connect_proto::{routes, wire};

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

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    Text(Text),
}

/// Why content cannot become a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadRefused {
    Unsupported,
    Malformed,
}

pub(crate) fn to_wire(payload: &Payload) -> wire::inner::Payload {
    match payload {
        Payload::Text(text) => wire::inner::Payload::Text(wire::Text {
            body: text.body.clone(),
            reply_to: text.reply_to.as_ref().map(|reference| wire::MessageRef {
                sender_id: reference.sender.as_str().to_owned(),
                message_id: reference.message_id.to_vec(),
                timestamp_ms: reference.timestamp_ms,
            }),
        }),
    }
}

pub(crate) fn from_wire(payload: wire::inner::Payload) -> Result<Payload, PayloadRefused> {
    match payload {
        wire::inner::Payload::Text(text) => {
            if text.body.is_empty() || text.body.len() > routes::MAX_TEXT {
                return Err(PayloadRefused::Malformed);
            }
            let reply_to = text.reply_to.as_ref().map(reference).transpose()?;
            Ok(Payload::Text(Text {
                body: text.body,
                reply_to,
            }))
        }
        _ => Err(PayloadRefused::Unsupported),
    }
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
