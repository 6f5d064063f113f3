//! A page of envelopes becomes one transaction: messages, quarantine and events together (D19).

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_core::inbound::{self, Candidate, Opened, Reader};
use connect_core::message::Payload;
use connect_core::refusal::Refusal;
use connect_proto::ids::{MessageId, UserId};
use connect_proto::list::Piece;
use connect_proto::sign::{Purpose, verify};
use connect_proto::{codec, wire};
use connect_store::codes::{EventKind, RecipientState, StateReason};
use connect_store::conversations::ConversationRow;
use connect_store::events::NewEvent;
use connect_store::row::MAX_INTEGER;
use connect_store::{contacts, quarantine, recipients};

use crate::contacts::refresh;
use crate::error::Error;
use crate::intake::{Intake, Taken};
use crate::journal::Journal;
use crate::senders::Senders;
use crate::unlocked::Unlocked;

/// In quarantine, a message whose id was used for other content before.
const CONFLICT: &str = "message_conflict";

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

/// What taking a page in came to.
#[derive(Debug)]
pub(crate) struct Page {
    /// What is durable here, and may be deleted there.
    pub(crate) acks: Vec<wire::AckEntry>,
    /// Some of it has to come again: the directory could not be asked about its senders.
    pub(crate) is_incomplete: bool,
}

/// Takes a page in. Once this returns, its acknowledgements may go out.
pub(crate) async fn take_in(unlocked: &Arc<Unlocked>, page: Vec<Piece>) -> Result<Page, Error> {
    let (envelopes, torn) = sort(page);
    let mut senders = Senders::read(unlocked, &envelopes).await?;
    let outdated = users_to_refresh(unlocked, &envelopes, &senders).await?;
    let mut unanswered = BTreeSet::new();
    if !outdated.is_empty() {
        match refresh(unlocked, &outdated).await {
            Ok(()) => senders = Senders::read(unlocked, &envelopes).await?,
            Err(error) if is_about_the_relay(error) => {
                tracing::warn!(%error, "the directory was not asked about some senders");
                unanswered.extend(outdated);
            }
            Err(error) => return Err(error),
        }
    }
    let mut page = Page {
        acks: Vec::with_capacity(envelopes.len()),
        is_incomplete: false,
    };
    let mut journal = Journal::begin(unlocked).await?;
    let mut intake = Intake::begin(&mut journal, &senders).await?;
    for envelope in &envelopes {
        if waits(unlocked, envelope, &senders, &unanswered) {
            page.is_incomplete = true;
            continue;
        }
        let verdict = judge(unlocked, envelope, &senders);
        carry_out(&mut journal, &mut intake, envelope, verdict).await?;
        page.acks.push(wire::AckEntry {
            queue_seq: envelope.queue_seq,
            message_id: envelope.message_id.clone(),
            timestamp_ms: envelope.timestamp_ms,
        });
    }
    intake.finish(&mut journal).await?;
    for (bytes, ack) in torn {
        let stub = wire::Envelope::default();
        put_aside(
            &mut journal,
            &stub,
            &bytes,
            Refusal::MalformedEnvelope.name(),
        )
        .await?;
        page.is_incomplete |= ack.is_none();
        page.acks.extend(ack);
    }
    if !page.acks.is_empty() || page.is_incomplete {
        journal.commit().await?;
    }
    Ok(page)
}

type Torn = (bytes::Bytes, Option<wire::AckEntry>);

fn sort(page: Vec<Piece>) -> (Vec<wire::Envelope>, Vec<Torn>) {
    let mut envelopes = Vec::with_capacity(page.len());
    let mut torn = Vec::new();
    for piece in page {
        match piece {
            Piece::Envelope(envelope) => envelopes.push(*envelope),
            Piece::Undecodable { bytes, ack } => torn.push((bytes, ack)),
        }
    }
    (envelopes, torn)
}

fn is_about_the_relay(error: Error) -> bool {
    matches!(
        error,
        Error::RelayUnreachable
            | Error::RelayRefused
            | Error::RateLimited { .. }
            | Error::PinMismatch
    )
}

/// Whether an envelope can only be judged once the directory answers.
fn waits(
    unlocked: &Unlocked,
    envelope: &wire::Envelope,
    senders: &Senders,
    unanswered: &BTreeSet<UserId>,
) -> bool {
    if unanswered.is_empty() {
        return false;
    }
    if let Some(update) = &envelope.contact_update {
        return verified_update(unlocked, update).is_some_and(|user| unanswered.contains(&user));
    }
    inbound::read_header(envelope, unlocked.user_id())
        .is_ok_and(|header| unanswered.contains(&header.sender) && !senders.knows_key(&header))
}

async fn carry_out(
    journal: &mut Journal,
    intake: &mut Intake<'_>,
    envelope: &wire::Envelope,
    verdict: Verdict,
) -> Result<(), Error> {
    match verdict {
        Verdict::Message(opened) => match intake.take(journal, &opened).await? {
            Taken::Well => Ok(()),
            Taken::Conflict(row) => conflict(journal, envelope, &opened, row).await,
        },
        Verdict::Bounce {
            message_id,
            recipient,
            reason,
        } => bounce(journal, message_id, &recipient, reason).await,
        Verdict::Update => Ok(()),
        Verdict::Refused(refusal) => refuse(journal, envelope, refusal).await,
    }
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
    if !is_by_its_author(&opened) {
        return Err(Refusal::MalformedPayload);
    }
    Ok(opened)
}

/// Whose word an amendment is: nobody edits what somebody else wrote (D12).
fn is_by_its_author(opened: &Opened) -> bool {
    match &opened.payload {
        Payload::Edit { target, .. } | Payload::Delete { target } => target.sender == opened.sender,
        _ => true,
    }
}

async fn bounce(
    journal: &mut Journal,
    message_id: MessageId,
    recipient: &UserId,
    reason: StateReason,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let Some(sent) = recipients::find_sent(journal.tx(), &me, message_id).await? else {
        return Ok(());
    };
    let waiting = recipients::list(journal.tx(), sent.row)
        .await?
        .iter()
        .any(|known| known.user_id == *recipient && known.state == RecipientState::Sent);
    if waiting {
        journal
            .move_recipient(&sent, recipient, RecipientState::Failed, Some(reason))
            .await?;
    }
    Ok(())
}

/// What stands under the same id stays; what came is kept beside it, and told of once (D12).
async fn conflict(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    opened: &Opened,
    row: ConversationRow,
) -> Result<(), Error> {
    if !put_aside(journal, envelope, &as_it_came(envelope), CONFLICT).await? {
        return Ok(());
    }
    let event = NewEvent {
        conversation: Some(row),
        user_id: Some(opened.sender.as_str()),
        message_id: Some(opened.message_id),
        ..NewEvent::of(EventKind::MessageConflict, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

async fn refuse(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    refusal: Refusal,
) -> Result<(), Error> {
    put_aside(journal, envelope, &as_it_came(envelope), refusal.name()).await?;
    Ok(())
}

/// The relay's number is no part of what came: a second delivery is the same envelope.
fn as_it_came(envelope: &wire::Envelope) -> Vec<u8> {
    codec::encode(&wire::Envelope {
        queue_seq: 0,
        ..envelope.clone()
    })
}

/// Returns whether the envelope was not in quarantine yet.
async fn put_aside(
    journal: &mut Journal,
    envelope: &wire::Envelope,
    bytes: &[u8],
    reason: &'static str,
) -> Result<bool, Error> {
    let sender = envelope.sender_id.parse::<UserId>().ok();
    let refused = quarantine::Refused {
        reason,
        sender: sender.as_ref().map_or("", UserId::as_str),
        message_id: &envelope.message_id,
        envelope: bytes,
        stored_ms: journal.now_ms(),
    };
    if !quarantine::add(journal.tx(), &refused).await? {
        return Ok(false);
    }
    tracing::warn!(reason, "an envelope was put into quarantine");
    journal.afterwards(|unlocked| unlocked.counters.add_quarantined(1));
    if reason == CONFLICT {
        return Ok(true);
    }
    let event = NewEvent {
        user_id: sender.as_ref().map(UserId::as_str),
        message_id: MessageId::try_from(envelope.message_id.as_slice()).ok(),
        reason: Some(reason),
        ..NewEvent::of(EventKind::MessageQuarantined, journal.now_ms())
    };
    journal.append(&event).await?;
    Ok(true)
}
