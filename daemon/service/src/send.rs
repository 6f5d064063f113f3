//! Sending: the answer comes once the outbox row has committed (D20).

use std::sync::Arc;

use connect_core::message::{MessageRef, Payload, Text};
use connect_core::outbound::Draft;
use connect_points::{Point, pass};
use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::MessageId;
use connect_proto::routes;
use connect_store::codes::RecipientState;
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::new::NewMessage;
use connect_store::outgoing::Outgoing;
use connect_store::{client_refs, contacts, messages, recipients};

use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::seal::seal;
use crate::unlocked::Unlocked;

pub const MAX_CLIENT_REF: usize = 128;

/// What a caller wants sent.
pub struct Request {
    /// Whose `client_ref` it is.
    pub app: String,
    pub conversation: Conversation,
    pub text: String,
    pub reply_to: Option<MessageId>,
    pub client_ref: Option<String>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request(..)")
    }
}

/// A message that is durable here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    pub message_id: MessageId,
    /// `queued` or `held`, or what has become of it meanwhile where the `client_ref` was used before.
    pub state: RecipientState,
}

pub async fn send(unlocked: &Arc<Unlocked>, request: &Request) -> Result<Queued, Error> {
    check(request)?;
    let Conversation::User(recipient) = &request.conversation else {
        return Err(Error::NotFound);
    };
    let mut journal = Journal::begin(unlocked).await?;
    let contact = contacts::find_in(journal.tx(), recipient)
        .await?
        .ok_or(Error::UnknownContact)?;
    let reply_to = reply_reference(unlocked, request).await?;
    if let Some(first) = sent_before(&mut journal, request).await? {
        return Ok(first);
    }
    let message_id = MessageId::random(&mut unlocked.chance.clone());
    let (row, sequence) = conversations::next_sequence(journal.tx(), &request.conversation).await?;
    let draft = Draft {
        message_id,
        timestamp_ms: journal.now_ms(),
        group_id: None,
        sequence,
        ephemeral: false,
        payload: &Payload::Text(Text {
            body: request.text.clone(),
            reply_to,
        }),
    };
    let envelope = seal(unlocked, draft, &contact)?;
    journal
        .queue(&Outgoing {
            message: stored(unlocked, request, row, draft),
            recipient,
            envelope: envelope.as_deref().map_err(|reason| *reason),
            app: &request.app,
            client_ref: request.client_ref.as_deref(),
            digest: &content_digest(request),
        })
        .await?;
    journal.commit().await?;
    pass(Point::AfterSendBeforeAnswer)?;
    Ok(Queued {
        message_id,
        state: match envelope {
            Ok(_) => RecipientState::Queued,
            Err(_) => RecipientState::Held,
        },
    })
}

/// A text as it may be sent.
pub(crate) fn check_text(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::invalid("text", Reason::Empty));
    }
    if text.len() > routes::MAX_TEXT {
        return Err(Error::TooLarge);
    }
    Ok(())
}

fn check(request: &Request) -> Result<(), Error> {
    check_text(&request.text)?;
    match &request.client_ref {
        Some(reference) if reference.is_empty() => Err(Error::invalid("client_ref", Reason::Empty)),
        Some(reference) if reference.len() > MAX_CLIENT_REF => {
            Err(Error::invalid("client_ref", Reason::TooLong))
        }
        _ => Ok(()),
    }
}

async fn reply_reference(
    unlocked: &Unlocked,
    request: &Request,
) -> Result<Option<MessageRef>, Error> {
    let Some(id) = request.reply_to else {
        return Ok(None);
    };
    let target = messages::find(&unlocked.store, id)
        .await?
        .filter(|target| target.conversation == request.conversation)
        .ok_or(Error::NotFound)?;
    Ok(Some(MessageRef {
        sender: target.sender,
        message_id: id,
        timestamp_ms: target.timestamp_ms,
    }))
}

/// What makes two requests the same: all that the recipient would see.
fn content_digest(request: &Request) -> Digest {
    let conversation = match &request.conversation {
        Conversation::User(user) => format!("user/{user}"),
        Conversation::Group(group) => format!("group/{group}"),
        Conversation::Case(case) => format!("case/{case}"),
    };
    let reply_to = request.reply_to.map(MessageId::to_vec).unwrap_or_default();
    let parts = [
        conversation.as_bytes(),
        b"\0",
        reply_to.as_slice(),
        b"\0",
        request.text.as_bytes(),
    ];
    sha256(&parts.concat())
}

async fn sent_before(journal: &mut Journal, request: &Request) -> Result<Option<Queued>, Error> {
    let Some(reference) = &request.client_ref else {
        return Ok(None);
    };
    let Some(first) = client_refs::find(journal.tx(), &request.app, reference).await? else {
        return Ok(None);
    };
    if first.digest != content_digest(request) {
        return Err(Error::ClientRefConflict);
    }
    let recipients = recipients::list(journal.tx(), first.message).await?;
    let state = recipients
        .first()
        .map_or(RecipientState::Queued, |recipient| recipient.state);
    Ok(Some(Queued {
        message_id: first.message_id,
        state,
    }))
}

/// What is kept of it here.
fn stored<'a>(
    unlocked: &'a Unlocked,
    request: &'a Request,
    conversation: ConversationRow,
    draft: Draft<'_>,
) -> NewMessage<'a> {
    NewMessage {
        conversation,
        sender: unlocked.user_id(),
        message_id: draft.message_id,
        timestamp_ms: draft.timestamp_ms,
        stored_ms: draft.timestamp_ms,
        installation_id: unlocked.account.installation_id,
        sequence: draft.sequence,
        retired_key: false,
        text: &request.text,
        reply_to: request.reply_to,
    }
}
