//! Sending: the answer comes once the outbox row has committed (D20).

use std::sync::Arc;

use connect_core::attachment::Attachment;
use connect_core::message::{MessageRef, Payload, Text};
use connect_core::outbound::Draft;
use connect_points::{Point, pass};
use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::{AttachmentId, CaseId, MessageId};
use connect_proto::routes;
use connect_store::attachments::Stored;
use connect_store::codes::{AttachmentState, RecipientState};
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::new::NewMessage;
use connect_store::outgoing::{Outgoing, Recipients};
use connect_store::{attachments, client_refs, messages, recipients};

use crate::attachments::may_see;
use crate::audience::{self, Instead};
use crate::casework::write;
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
    /// Of an attachment, its caption, which may be empty.
    pub text: String,
    /// One that was uploaded and that no message names yet.
    pub attachment: Option<AttachmentId>,
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
    let mut journal = Journal::begin(unlocked).await?;
    // Whatever has become of the conversation since: it was queued then.
    if let Some(first) = sent_before(&mut journal, request).await? {
        return Ok(first);
    }
    if let Conversation::Case(case_id) = request.conversation {
        return into_case(journal, request, case_id).await;
    }
    let audience = audience::to_write(&mut journal, &request.conversation).await?;
    let reply_to = reply_reference(unlocked, request).await?;
    let attached = attached(&mut journal, request).await?;
    let message_id = MessageId::random(&mut unlocked.chance.clone());
    let (row, sequence) = conversations::next_sequence(journal.tx(), &request.conversation).await?;
    let draft = Draft {
        message_id,
        timestamp_ms: journal.now_ms(),
        group_id: audience.group_id(),
        roster: audience.roster,
        sequence,
        ephemeral: false,
        payload: &payload(request, reply_to, attached.as_ref()),
    };
    let sealed = seal(unlocked, draft, &audience, &Instead::default())?;
    let each = audience.each(&sealed);
    journal
        .queue(&Outgoing {
            message: stored(unlocked, request, row, draft),
            recipients: audience.recipients(&each),
            envelope: sealed.envelope.as_deref(),
            app: &request.app,
            client_ref: request.client_ref.as_deref(),
            digest: &content_digest(request),
        })
        .await?;
    if let Some(attached) = &attached {
        name(&mut journal, attached, message_id).await?;
    }
    journal.commit().await?;
    pass(Point::AfterSendBeforeAnswer)?;
    Ok(Queued {
        message_id,
        state: match sealed.envelope {
            Some(_) => RecipientState::Queued,
            None => RecipientState::Held,
        },
    })
}

/// Signed, and sealed once for all who take part (§8.2.3).
async fn into_case(
    mut journal: Journal,
    request: &Request,
    case_id: CaseId,
) -> Result<Queued, Error> {
    let unlocked = Arc::clone(journal.unlocked());
    let reply_to = reply_reference(&unlocked, request).await?;
    let (case, control) = write::find_open(&mut journal, case_id).await?;
    let readers = write::readers(&mut journal, &[&control]).await?;
    let attached = attached(&mut journal, request).await?;
    let message_id = MessageId::random(&mut unlocked.chance.clone());
    let (row, sequence) = conversations::next_sequence(journal.tx(), &request.conversation).await?;
    let payload = payload(request, reply_to, attached.as_ref());
    let draft = Draft {
        message_id,
        timestamp_ms: journal.now_ms(),
        group_id: None,
        roster: None,
        sequence,
        ephemeral: false,
        payload: &payload,
    };
    let entry = write::Draft {
        message_id,
        timestamp_ms: draft.timestamp_ms,
        sequence,
        installation_id: None,
        ephemeral: false,
        payload: &payload,
    };
    let envelope = write::seal(&mut journal, &case, entry, &readers).await?;
    journal
        .queue(&Outgoing {
            message: stored(&unlocked, request, row, draft),
            recipients: Recipients::Several(&write::to(&readers)),
            envelope: envelope.as_deref(),
            app: &request.app,
            client_ref: request.client_ref.as_deref(),
            digest: &content_digest(request),
        })
        .await?;
    if let Some(attached) = &attached {
        name(&mut journal, attached, message_id).await?;
    }
    journal.commit().await?;
    pass(Point::AfterSendBeforeAnswer)?;
    Ok(Queued {
        message_id,
        state: match envelope {
            None if !readers.is_empty() => RecipientState::Held,
            _ => RecipientState::Queued,
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

/// What the request wants sent along: whole, sealed, the caller's own and not sent before.
async fn attached(journal: &mut Journal, request: &Request) -> Result<Option<Stored>, Error> {
    let Some(id) = request.attachment else {
        return Ok(None);
    };
    let stored = attachments::find_in(journal.tx(), id)
        .await?
        .filter(|stored| stored.outgoing && may_see(stored, &request.app))
        .ok_or(Error::NotFound)?;
    if stored.state != AttachmentState::Sealed {
        return Err(Error::invalid("attachment_id", Reason::NotSupported));
    }
    Ok(Some(stored))
}

/// From here on it is on its way to the relay, and the message waits for it (D143).
async fn name(
    journal: &mut Journal,
    attached: &Stored,
    message_id: MessageId,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let sent = recipients::find_sent(journal.tx(), &me, message_id)
        .await?
        .ok_or(Error::Internal("a message that was not stored"))?;
    let now_ms = journal.now_ms();
    attachments::name_in(journal.tx(), attached.row, sent.row, now_ms).await?;
    journal.afterwards(|unlocked| unlocked.transfers.wake());
    Ok(())
}

fn payload(request: &Request, reply_to: Option<MessageRef>, attached: Option<&Stored>) -> Payload {
    match attached {
        None => Payload::Text(Text {
            body: request.text.clone(),
            reply_to,
        }),
        Some(stored) => Payload::Attachment(Box::new(Attachment {
            caption: request.text.clone(),
            ..stored.said.clone()
        })),
    }
}

fn check(request: &Request) -> Result<(), Error> {
    match request.attachment {
        None => check_text(&request.text)?,
        Some(_) if request.text.len() > routes::MAX_TEXT => return Err(Error::TooLarge),
        // Its form on the wire has no place for it.
        Some(_) if request.reply_to.is_some() => {
            return Err(Error::invalid("reply_to", Reason::NotSupported));
        }
        Some(_) => {}
    }
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
    // None leaves the digest as it was before there were any.
    let attachment = request
        .attachment
        .map(|id| [b"\0", id.as_bytes().as_slice()].concat())
        .unwrap_or_default();
    let parts = [
        conversation.as_bytes(),
        b"\0",
        reply_to.as_slice(),
        b"\0",
        request.text.as_bytes(),
        attachment.as_slice(),
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
        installation_id: unlocked.me().account.installation_id,
        sequence: draft.sequence,
        retired_key: false,
        text: &request.text,
        reply_to: request.reply_to,
    }
}
