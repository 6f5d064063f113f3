//! A page of envelopes becomes one transaction: messages, quarantine and events together (D19).

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_core::inbound;
use connect_core::refusal::Refusal;
use connect_proto::ids::{MessageId, UserId};
use connect_proto::list::Piece;
use connect_proto::wire;
use connect_store::codes::{RecipientState, StateReason};
use connect_store::{contacts, recipients};

use crate::aside::{conflict, put_aside, refuse};
use crate::contacts::refresh;
use crate::error::Error;
use crate::intake::{Intake, Taken};
use crate::journal::Journal;
use crate::senders::Senders;
use crate::unlocked::Unlocked;
use crate::verdict::{Verdict, judge, verified_update};

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
    // Opened before the transaction begins: nobody waits for the boxes.
    let judged: Vec<_> = envelopes
        .iter()
        .filter(|envelope| !waits(unlocked, envelope, &senders, &unanswered))
        .map(|envelope| (envelope, judge(unlocked, envelope, &senders)))
        .collect();
    page.is_incomplete = judged.len() < envelopes.len();
    let mut journal = Journal::begin(unlocked).await?;
    let mut intake = Intake::begin(&mut journal, &senders).await?;
    let opened = judged.iter().filter_map(|(_, verdict)| match verdict {
        Verdict::Message(opened) => Some(opened),
        _ => None,
    });
    intake.store(&mut journal, opened).await?;
    for (envelope, verdict) in judged {
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
