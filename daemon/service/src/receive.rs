//! A page of envelopes becomes one transaction: messages, quarantine and events together (D19).

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_core::inbound;
use connect_core::message::Payload;
use connect_core::refusal::Refusal;
use connect_proto::ids::{CaseId, MessageId, UserId};
use connect_proto::list::Piece;
use connect_proto::wire;
use connect_store::codes::{RecipientState, StateReason};
use connect_store::{contacts, recipients};

use crate::aside::{Aside, conflict, keep_blocked, put_aside, refuse};
use crate::cases::take::{Taken as TakenEntry, take};
use crate::cases::waiting;
use crate::casework::share;
use crate::contacts::{look_up_unknown, refresh};
use crate::error::Error;
use crate::intake::{Intake, Taken};
use crate::journal::Journal;
use crate::senders::{Senders, sender_of};
use crate::unlocked::Unlocked;
use crate::unopened;
use crate::updates::{self, Statement};
use crate::verdict::{Verdict, judge};

/// What taking a page in came to.
#[derive(Debug)]
pub(crate) struct Page {
    /// What is durable here, and may be deleted there.
    pub(crate) acks: Vec<wire::AckEntry>,
    /// Some of it has to come again: the directory could not be asked about its senders.
    pub(crate) is_incomplete: bool,
    /// Some could not be opened: their senders are asked once this page is acknowledged.
    pub(crate) has_unopened: bool,
}

/// Takes a page in. Once this returns, its acknowledgements may go out.
pub(crate) async fn take_in(unlocked: &Arc<Unlocked>, page: Vec<Piece>) -> Result<Page, Error> {
    let (envelopes, torn) = sort(page);
    let mut senders = Senders::read(unlocked, &envelopes).await?;
    let statements = news(unlocked, &envelopes).await?;
    let outdated = users_to_refresh(unlocked, &envelopes, &senders, &statements);
    let mut unanswered = BTreeSet::new();
    if !outdated.is_empty() {
        let refreshed = refresh(unlocked, &outdated, &statements).await;
        senders = Senders::read(unlocked, &envelopes).await?;
        match refreshed {
            Ok(()) => {}
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
        has_unopened: false,
    };
    // Opened before the transaction begins: nobody waits for the boxes.
    let judged: Vec<_> = envelopes
        .iter()
        .filter(|envelope| !waits(unlocked, envelope, &senders, &unanswered))
        .map(|envelope| (envelope, judge(unlocked, envelope, &senders)))
        .collect();
    let judged = with_known_members(unlocked, judged).await?;
    let mut journal = Journal::begin(unlocked).await?;
    let judged = without_unblocked(&mut journal, judged).await?;
    page.is_incomplete = judged.len() < envelopes.len();
    page.acks = judged.iter().map(|(envelope, _)| ack(envelope)).collect();
    page.has_unopened = carry_out_all(&mut journal, &senders, judged).await?;
    for (bytes, ack) in torn {
        let stub = wire::Envelope::default();
        let malformed = Aside::now(&journal, Refusal::MalformedEnvelope.name());
        put_aside(&mut journal, &stub, &bytes, malformed).await?;
        page.is_incomplete |= ack.is_none();
        page.acks.extend(ack);
    }
    if !page.acks.is_empty() || page.is_incomplete {
        journal.commit().await?;
    }
    // Our own fate is followed once the page is durable.
    for update in envelopes.iter().filter_map(|it| it.contact_update.as_ref()) {
        unlocked.consider(update);
    }
    Ok(page)
}

/// Whom a roster names is looked up before it counts. Where the directory cannot be asked the roster comes once more, and
/// with it all that comes after it.
async fn with_known_members<'e>(
    unlocked: &Arc<Unlocked>,
    mut judged: Vec<(&'e wire::Envelope, Verdict)>,
) -> Result<Vec<(&'e wire::Envelope, Verdict)>, Error> {
    let is_roster = |verdict: &Verdict| match verdict {
        Verdict::Message(opened) => matches!(opened.payload, Payload::GroupControl(_)),
        _ => false,
    };
    let mut named = BTreeSet::new();
    for (_, verdict) in &judged {
        if let Verdict::Message(opened) = verdict
            && let Payload::GroupControl(control) = &opened.payload
        {
            named.extend(control.roster.iter().map(|member| member.user_id.clone()));
        }
    }
    let named: Vec<UserId> = named.into_iter().collect();
    match look_up_unknown(unlocked, &named).await {
        Ok(()) => {}
        Err(error) if is_about_the_relay(error) => {
            tracing::warn!(%error, "the directory was not asked about a group's members");
            let place = judged.iter().position(|(_, verdict)| is_roster(verdict));
            judged.truncate(place.unwrap_or(judged.len()));
        }
        Err(error) => return Err(error),
    }
    Ok(judged)
}

/// What was judged as from somebody blocked who was let in again before the transaction began comes once more.
async fn without_unblocked<'e>(
    journal: &mut Journal,
    judged: Vec<(&'e wire::Envelope, Verdict)>,
) -> Result<Vec<(&'e wire::Envelope, Verdict)>, Error> {
    let mut kept = Vec::with_capacity(judged.len());
    for (envelope, verdict) in judged {
        let is_blocked = match (&verdict, envelope.sender_id.parse()) {
            (Verdict::Blocked { .. }, Ok(sender)) => contacts::find_in(journal.tx(), &sender)
                .await?
                .is_none_or(|contact| contact.blocked),
            _ => true,
        };
        if is_blocked {
            kept.push((envelope, verdict));
        }
    }
    Ok(kept)
}

fn ack(envelope: &wire::Envelope) -> wire::AckEntry {
    wire::AckEntry {
        queue_seq: envelope.queue_seq,
        message_id: envelope.message_id.clone(),
        timestamp_ms: envelope.timestamp_ms,
    }
}

/// Envelopes that are judged, within one transaction. Returns whether there is something to ask their senders for.
pub(crate) async fn carry_out_all(
    journal: &mut Journal,
    senders: &Senders,
    judged: Vec<(&wire::Envelope, Verdict)>,
) -> Result<bool, Error> {
    let mut intake = Intake::begin(journal, senders).await?;
    let opened = judged.iter().filter_map(|(_, verdict)| match verdict {
        Verdict::Message(opened) => Some(&**opened),
        _ => None,
    });
    intake.store(journal, opened).await?;
    let mut has_unopened = false;
    let mut cases = BTreeSet::new();
    for (envelope, verdict) in judged {
        let case_id = case_of(envelope, &verdict);
        cases.extend(case_id);
        let since_ms = match &verdict {
            Verdict::Case { at_ms } => *at_ms,
            _ => journal.now_ms(),
        };
        let refused = match verdict {
            Verdict::Refused(refusal) => Some(refusal),
            verdict => carry_out(journal, &mut intake, senders, envelope, verdict).await?,
        };
        let Some(refusal) = refused else { continue };
        if matches!(
            refusal,
            Refusal::UnknownRecipientKey | Refusal::UnknownGroup
        ) {
            has_unopened |= unopened::note(journal, senders, envelope).await?;
        }
        let aside = Aside {
            reason: refusal.name(),
            case_id: case_id.filter(|_| waiting::may_come_right(refusal)),
            since_ms,
        };
        refuse(journal, envelope, aside).await?;
    }
    for case_id in cases {
        waiting::reconsider(journal, &mut intake, case_id).await?;
    }
    intake.finish(journal).await?;
    Ok(has_unopened)
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
        return updates::verified(unlocked, update)
            .is_some_and(|said| unanswered.contains(&said.user_id));
    }
    if envelope.case_sealed.is_some() {
        return sender_of(envelope, unlocked.user_id()).is_some_and(|author| {
            unanswered.contains(&author) && senders.contact(&author).is_none()
        });
    }
    inbound::read_header(envelope, unlocked.user_id())
        .is_ok_and(|header| unanswered.contains(&header.sender) && !senders.knows_key(&header))
}

/// The case that something is of: it may be what another thing of that case waited for.
fn case_of(envelope: &wire::Envelope, verdict: &Verdict) -> Option<CaseId> {
    match verdict {
        Verdict::Case { .. } => {
            let sealed = envelope.case_sealed.as_ref()?;
            sealed.case_id.as_slice().try_into().ok()
        }
        Verdict::Message(opened) => match &opened.payload {
            Payload::CaseKeyShare(share) => Some(share.case_id),
            _ => None,
        },
        _ => None,
    }
}

/// Returns why it is not taken in after all, where only the transaction can tell.
async fn carry_out(
    journal: &mut Journal,
    intake: &mut Intake<'_>,
    senders: &Senders,
    envelope: &wire::Envelope,
    verdict: Verdict,
) -> Result<Option<Refusal>, Error> {
    match verdict {
        Verdict::Case { at_ms } => {
            return take_entry(journal, intake, senders, (envelope, at_ms)).await;
        }
        Verdict::Message(opened) => {
            if let Payload::CaseKeyShare(share) = &opened.payload
                && let Err(refusal) = share::check(journal, &opened.sender, share).await?
            {
                return Ok(Some(refusal));
            }
            match intake.take(journal, &opened).await? {
                Taken::Well => {}
                Taken::Conflict(row) => {
                    let by = (&opened.sender, opened.message_id);
                    conflict(journal, envelope, by, row).await?;
                }
                Taken::Refused(refusal) => return Ok(Some(refusal)),
            }
        }
        Verdict::Bounce {
            message_id,
            recipient,
            reason,
        } => bounce(journal, message_id, &recipient, reason).await?,
        Verdict::Update | Verdict::Blocked { is_typing: true } => {}
        Verdict::Blocked { is_typing: false } => keep_blocked(journal, envelope).await?,
        Verdict::Refused(refusal) => return Ok(Some(refusal)),
    }
    Ok(None)
}

async fn take_entry(
    journal: &mut Journal,
    intake: &mut Intake<'_>,
    senders: &Senders,
    (envelope, at_ms): (&wire::Envelope, u64),
) -> Result<Option<Refusal>, Error> {
    match take(journal, senders, envelope, at_ms).await? {
        TakenEntry::Well(Some(message)) => intake.note_arrived(message),
        TakenEntry::Well(None) => {}
        TakenEntry::Conflict(row, opened) => {
            let by = (&opened.sender, opened.message_id);
            conflict(journal, envelope, by, row).await?;
        }
        TakenEntry::Refused(refusal) => return Ok(Some(refusal)),
    }
    Ok(None)
}

/// What the relay signed for about contacts, where it is not older than what was followed: a repeat asks the directory
/// again, which may not have answered.
async fn news(unlocked: &Unlocked, page: &[wire::Envelope]) -> Result<Vec<Statement>, Error> {
    let mut statements: Vec<Statement> = page
        .iter()
        .filter_map(|envelope| updates::verified(unlocked, envelope.contact_update.as_ref()?))
        .filter(|said| said.user_id != *unlocked.user_id())
        .collect();
    if statements.is_empty() {
        return Ok(statements);
    }
    let users: Vec<UserId> = statements.iter().map(|said| said.user_id.clone()).collect();
    let known = contacts::find_many(&unlocked.store, &users).await?;
    statements.retain(|said| {
        known
            .get(&said.user_id)
            .is_some_and(|contact| said.revision >= contact.update_revision)
    });
    Ok(statements)
}

/// Senders that are unknown or use an unknown key, and contacts that the relay says have changed.
fn users_to_refresh(
    unlocked: &Unlocked,
    page: &[wire::Envelope],
    senders: &Senders,
    statements: &[Statement],
) -> Vec<UserId> {
    let mut outdated: BTreeSet<UserId> =
        statements.iter().map(|said| said.user_id.clone()).collect();
    for envelope in page {
        if envelope.case_sealed.is_some()
            && let Some(author) = sender_of(envelope, unlocked.user_id())
            && senders.contact(&author).is_none()
        {
            outdated.insert(author);
        }
        if envelope.contact_update.is_none()
            && let Ok(header) = inbound::read_header(envelope, unlocked.user_id())
            && !senders.knows_key(&header)
        {
            outdated.insert(header.sender);
        }
    }
    outdated.remove(unlocked.user_id());
    outdated.into_iter().collect()
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
