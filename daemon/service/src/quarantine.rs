//! What was not taken in, for who decides about keys: why, and what it would say if its key were good (D24).

use connect_core::inbound::{self, Candidate, Reader, Standing};
use connect_core::message::{Payload, ReceiptKind};
use connect_core::refusal::Refusal;
use connect_proto::hash::Digest;
use connect_proto::{codec, wire};
use connect_store::codes::KeyState;
use connect_store::contacts;
use connect_store::quarantine::{self, Kept};

use crate::error::Error;
use crate::unlocked::Unlocked;

/// Refusals for the key's sake alone: the rest of the message may be as it should.
const OF_KEYS: [Refusal; 4] = [
    Refusal::CompromisedKey,
    Refusal::RevokedKey,
    Refusal::RejectedKey,
    Refusal::RetiredKeyExpired,
];

/// What an envelope says under a key that proves nothing any more: whoever holds the key may have written it.
#[derive(Clone, PartialEq, Eq)]
pub struct Unproven {
    pub kind: &'static str,
    /// Of a text or an edit.
    pub text: Option<String>,
    /// When it says that it was written.
    pub claimed_ms: u64,
    /// Of the bundle whose key opened it.
    pub key: Digest,
    pub key_state: KeyState,
}

impl std::fmt::Debug for Unproven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unproven({})", self.kind)
    }
}

/// The newest first; one more than `limit` tells whether there is a next page.
pub async fn list(
    unlocked: &Unlocked,
    after: Option<&Digest>,
    limit: u32,
) -> Result<Vec<Kept>, Error> {
    Ok(quarantine::list(&unlocked.store, after, limit).await?)
}

/// One of them, with what it says where it opens under the key for which it was refused.
pub async fn find(unlocked: &Unlocked, digest: &Digest) -> Result<(Kept, Option<Unproven>), Error> {
    let (kept, envelope) = quarantine::find(&unlocked.store, digest)
        .await?
        .ok_or(Error::NotFound)?;
    if !OF_KEYS.iter().any(|refusal| refusal.name() == kept.reason) {
        return Ok((kept, None));
    }
    let content = match codec::decode::<wire::Envelope>(&envelope) {
        Ok(envelope) => open(unlocked, &envelope).await?,
        Err(_) => None,
    };
    Ok((kept, content))
}

/// Every check but that of the key's standing.
async fn open(unlocked: &Unlocked, envelope: &wire::Envelope) -> Result<Option<Unproven>, Error> {
    let Ok(header) = inbound::read_header(envelope, unlocked.user_id()) else {
        return Ok(None);
    };
    let Some(contact) = contacts::find(&unlocked.store, &header.sender).await? else {
        return Ok(None);
    };
    let me = unlocked.me();
    let Some((mine, _)) = me.box_for(header.recipient_key_id) else {
        return Ok(None);
    };
    let reader = Reader {
        user_id: unlocked.user_id(),
        box_key: &mine.public,
    };
    for key in &contact.keys {
        let shared = mine.shared_with(&key.box_key);
        let candidate = Candidate {
            box_key: &key.box_key,
            shared: &shared,
            standing: Standing::Active,
        };
        if let Ok(opened) = inbound::open(&header, reader, &[candidate]) {
            return Ok(Some(Unproven {
                kind: kind(&opened.payload),
                text: text(opened.payload),
                claimed_ms: opened.timestamp_ms,
                key: key.digest,
                key_state: key.state,
            }));
        }
    }
    Ok(None)
}

fn kind(payload: &Payload) -> &'static str {
    match payload {
        Payload::Text(_) => "text",
        Payload::Attachment(_) => "attachment",
        Payload::Typing(_) => "typing",
        Payload::Receipt(receipt) => match receipt.kind {
            ReceiptKind::Delivered => "delivered_receipt",
            ReceiptKind::Read => "read_receipt",
        },
        Payload::Edit { .. } => "edit",
        Payload::Delete { .. } => "delete",
        Payload::ResendRequest(_) => "resend_request",
        Payload::GroupControl(_) => "group_control",
        Payload::CaseControl(_) => "case_control",
        Payload::CaseField(_) => "case_field",
        Payload::CaseKeyShare(_) => "case_key_share",
    }
}

fn text(payload: Payload) -> Option<String> {
    match payload {
        Payload::Text(text) | Payload::Edit { text, .. } => Some(text.body),
        Payload::Attachment(attachment) => Some(attachment.caption),
        _ => None,
    }
}
