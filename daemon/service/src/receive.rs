//! A page of envelopes becomes one transaction: messages, quarantine and events together (D19).

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_core::inbound::{self, Candidate, Opened, Reader};
use connect_core::message::Payload;
use connect_core::refusal::Refusal;
use connect_proto::ids::{MessageId, UserId};
use connect_proto::sign::{Purpose, verify};
use connect_proto::{codec, wire};
use connect_store::codes::{EventKind, RecipientState, StateReason};
use connect_store::contacts;
use connect_store::conversations::{self, Conversation};
use connect_store::events::NewEvent;
use connect_store::messages::{self, NewMessage, Stored};
use connect_store::quarantine;
use connect_store::row::MAX_INTEGER;

use crate::contacts::refresh;
use crate::error::Error;
use crate::journal::Journal;
use crate::senders::Senders;
use crate::unlocked::Unlocked;

/// What an envelope turned out to be.
enum Verdict {
    Message(Opened),
    /// The relay gave one of our own messages up (D21).
    Bounce {
        message_id: MessageId,
        recipient: UserId,
        reason: StateReason,
    },
    /// The relay hints that a contact's keys changed; the directory has been asked already (D10).
    Update,
    Refused(Refusal),
}

/// Takes a page in. Once this returns, everything in it may be acknowledged.
pub(crate) async fn take_in(
    unlocked: &Arc<Unlocked>,
    page: &[wire::Envelope],
) -> Result<(), Error> {
    if page.is_empty() {
        return Ok(());
    }
    let mut senders = Senders::read(unlocked, page).await?;
    let outdated = users_to_refresh(unlocked, page, &senders).await?;
    if !outdated.is_empty() {
        refresh(unlocked, &outdated).await?;
        senders = Senders::read(unlocked, page).await?;
    }
    let verdicts: Vec<Verdict> = page
        .iter()
        .map(|envelope| judge(unlocked, envelope, &senders))
        .collect();
    let mut journal = Journal::begin(unlocked).await?;
    let mut quarantined = 0;
    for (envelope, verdict) in page.iter().zip(verdicts) {
        match verdict {
            Verdict::Message(opened) => store(&mut journal, &opened).await?,
            Verdict::Bounce {
                message_id,
                recipient,
                reason,
            } => bounce(&mut journal, unlocked, message_id, &recipient, reason).await?,
            Verdict::Update => {}
            Verdict::Refused(refusal) => {
                quarantined += u64::from(put_aside(&mut journal, envelope, refusal).await?);
            }
        }
    }
    journal.afterwards(move |unlocked| unlocked.counters.add_quarantined(quarantined));
    Ok(journal.commit().await?)
}

/// Senders that are unknown or use an unknown key, and contacts that the relay says have changed.
async fn users_to_refresh(
    unlocked: &Unlocked,
    page: &[wire::Envelope],
    senders: &Senders,
) -> Result<Vec<UserId>, Error> {
    let mut outdated = BTreeSet::new();
    for envelope in page {
        if let Some(update) = &envelope.contact_update {
            outdated.extend(updated_user(unlocked, update).await?);
        } else if let Ok(header) = inbound::read_header(envelope, unlocked.user_id())
            && !senders.knows_key(&header)
        {
            outdated.insert(header.sender);
        }
    }
    outdated.remove(unlocked.user_id());
    Ok(outdated.into_iter().collect())
}

/// The contact that a verified update is about; nothing where it does not verify or is nobody we know.
async fn updated_user(
    unlocked: &Unlocked,
    update: &wire::ContactUpdate,
) -> Result<Option<UserId>, Error> {
    let Some(user_id) = verified_update(unlocked, update) else {
        return Ok(None);
    };
    let known = contacts::find(&unlocked.store, &user_id).await?.is_some();
    Ok(known.then_some(user_id))
}

fn verified_update(unlocked: &Unlocked, update: &wire::ContactUpdate) -> Option<UserId> {
    let key = &unlocked.account.operations_key;
    verify(
        Purpose::ContactUpdate,
        &update.statement,
        &update.signature,
        key,
    )
    .ok()?;
    let statement: wire::ContactUpdateStatement = codec::decode(&update.statement).ok()?;
    statement.user_id.parse().ok()
}

fn judge(unlocked: &Unlocked, envelope: &wire::Envelope, senders: &Senders) -> Verdict {
    if let Some(update) = &envelope.contact_update {
        return match verified_update(unlocked, update) {
            Some(_) => Verdict::Update,
            None => Verdict::Refused(Refusal::BadContactUpdate),
        };
    }
    if let Some(bounce) = &envelope.bounce {
        return judge_bounce(bounce);
    }
    match open(unlocked, envelope, senders) {
        Ok(opened) => Verdict::Message(opened),
        Err(refusal) => Verdict::Refused(refusal),
    }
}

fn judge_bounce(bounce: &wire::Bounce) -> Verdict {
    let message_id = MessageId::try_from(bounce.message_id.as_slice());
    let (Ok(message_id), Ok(recipient)) = (message_id, bounce.recipient_id.parse()) else {
        return Verdict::Refused(Refusal::MalformedEnvelope);
    };
    let reason = match bounce.reason() {
        wire::bounce::Reason::Expired => StateReason::Expired,
        wire::bounce::Reason::RecipientDeleted => StateReason::RecipientDeleted,
    };
    Verdict::Bounce {
        message_id,
        recipient,
        reason,
    }
}

fn open(
    unlocked: &Unlocked,
    envelope: &wire::Envelope,
    senders: &Senders,
) -> Result<Opened, Refusal> {
    let header = inbound::read_header(envelope, unlocked.user_id())?;
    if header.timestamp_ms > MAX_INTEGER {
        return Err(Refusal::MalformedEnvelope);
    }
    let keys = senders.keys_to_try(unlocked, &header.sender);
    let candidates: Vec<Candidate<'_>> = keys
        .iter()
        .map(|(key, shared, standing)| Candidate {
            box_key: &key.box_key,
            shared,
            standing: *standing,
        })
        .collect();
    let me = Reader {
        user_id: unlocked.user_id(),
        box_key: &unlocked.account.box_key,
    };
    let opened = inbound::open(&header, me, &candidates)?;
    if opened.sequence > MAX_INTEGER {
        return Err(Refusal::MalformedInner);
    }
    // No roster is known that would name its members (D17): anyone could write into it.
    if opened.group_id.is_some() {
        return Err(Refusal::UnsupportedEnvelope);
    }
    Ok(opened)
}

async fn store(journal: &mut Journal, opened: &Opened) -> Result<(), Error> {
    let conversation = Conversation::User(opened.sender.clone());
    let row = conversations::ensure(journal.tx(), &conversation).await?;
    let Payload::Text(text) = &opened.payload;
    let new = NewMessage {
        conversation: row,
        sender: &opened.sender,
        message_id: opened.message_id,
        outgoing: false,
        timestamp_ms: opened.timestamp_ms,
        stored_ms: journal.now_ms(),
        installation_id: opened.installation_id,
        sequence: opened.sequence,
        retired_key: opened.retired_key,
        text: &text.body,
        reply_to: text.reply_to.as_ref().map(|reference| reference.message_id),
        client_ref: None,
    };
    let kind = match messages::add(journal.tx(), &new).await? {
        Stored::New(_) => EventKind::MessageReceived,
        Stored::Conflict => EventKind::MessageConflict,
        Stored::Repeat => return Ok(()),
    };
    let event = NewEvent {
        conversation: Some(row),
        user_id: Some(opened.sender.as_str()),
        message_id: Some(opened.message_id),
        ..NewEvent::of(kind, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

async fn bounce(
    journal: &mut Journal,
    unlocked: &Unlocked,
    message_id: MessageId,
    recipient: &UserId,
    reason: StateReason,
) -> Result<(), Error> {
    let sender = unlocked.user_id();
    let Some((message, conversation)) =
        messages::find_outgoing(journal.tx(), sender, message_id).await?
    else {
        return Ok(());
    };
    let recipients = messages::list_recipients(journal.tx(), message).await?;
    let waiting = recipients
        .iter()
        .any(|known| known.user_id == *recipient && known.state == RecipientState::Sent);
    if waiting {
        journal
            .move_recipient(
                conversation,
                (message, message_id),
                recipient,
                RecipientState::Failed,
                Some(reason),
            )
            .await?;
    }
    Ok(())
}

/// Returns whether the envelope was not in quarantine yet.
async fn put_aside(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    refusal: Refusal,
) -> Result<bool, Error> {
    // The relay's number is no part of what came: a second delivery is the same envelope.
    let bytes = codec::encode(&wire::Envelope {
        queue_seq: 0,
        ..envelope.clone()
    });
    let sender = envelope.sender_id.parse::<UserId>().ok();
    let refused = quarantine::Refused {
        reason: refusal.name(),
        sender: sender.as_ref().map_or("", UserId::as_str),
        message_id: &envelope.message_id,
        envelope: &bytes,
        stored_ms: journal.now_ms(),
    };
    if !quarantine::add(journal.tx(), &refused).await? {
        return Ok(false);
    }
    tracing::warn!(
        reason = refusal.name(),
        "an envelope was put into quarantine"
    );
    let event = NewEvent {
        user_id: sender.as_ref().map(UserId::as_str),
        message_id: MessageId::try_from(envelope.message_id.as_slice()).ok(),
        reason: Some(refusal.name()),
        ..NewEvent::of(EventKind::MessageQuarantined, journal.now_ms())
    };
    journal.append(&event).await?;
    Ok(true)
}
