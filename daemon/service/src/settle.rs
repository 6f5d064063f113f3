//! What the relay said to a message, and what follows from it (D20, D21).

use std::sync::Arc;

use connect_store::cases::entries;
use connect_store::codes::{RecipientState, StateReason};
use connect_store::outbox::{self, Freight, Queued};
use connect_store::place::MessageRow;
use connect_store::recipients;
use connect_uplink::uplink::SendOutcome;
use rand_core::RngCore as _;

use crate::error::Error;
use crate::holds;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// No message is put off for longer than this.
pub(crate) const LONGEST_WAIT_MS: u64 = 300_000;
/// How soon a message whose recipient's mailbox is full is tried again where the relay does not say.
const FULL_MAILBOX_MS: u64 = 60_000;
const SHORTEST_WAIT_MS: u64 = 1000;

pub(crate) async fn settle(
    unlocked: &Arc<Unlocked>,
    queued: &Queued,
    outcome: SendOutcome,
) -> Result<(), Error> {
    if concerns_one_of_several(queued, &outcome) {
        return part(unlocked, queued).await;
    }
    let failed = |reason| (RecipientState::Failed, Some(reason));
    let (state, reason) = match outcome {
        SendOutcome::Accepted => (RecipientState::Sent, None),
        // What was asked for again is still on its way, and what was sealed anew had arrived before.
        SendOutcome::Conflict if queued.resealed || queued.resend => (RecipientState::Sent, None),
        SendOutcome::Conflict => failed(StateReason::IdConflict),
        SendOutcome::TooLarge => failed(StateReason::TooLarge),
        SendOutcome::UnknownRecipient => failed(StateReason::UnknownRecipient),
        SendOutcome::Refused => failed(StateReason::Refused),
        SendOutcome::MailboxFull { retry_after_ms } => {
            let wait_ms = retry_after_ms.unwrap_or(FULL_MAILBOX_MS);
            return put_off(unlocked, queued, wait_ms, Some(StateReason::MailboxFull)).await;
        }
        SendOutcome::Odd(status) => {
            tracing::warn!(status, "the relay does not take a message for now");
            let wait_ms = odd_wait_ms(unlocked, queued.attempts);
            return put_off(unlocked, queued, wait_ms, None).await;
        }
    };
    match (state, queued.freight) {
        (RecipientState::Sent, Freight::Message(message)) if !queued.resend => {
            accept(unlocked, queued, message).await
        }
        _ => finish(unlocked, queued, state, reason).await,
    }
}

/// The relay takes what goes to several for all of them or for none (D18), and does not say for whose sake it does not.
fn concerns_one_of_several(queued: &Queued, outcome: &SendOutcome) -> bool {
    let is_theirs = match outcome {
        SendOutcome::UnknownRecipient | SendOutcome::MailboxFull { .. } | SendOutcome::Refused => {
            true
        }
        SendOutcome::Conflict => !queued.resealed && !queued.resend,
        SendOutcome::Accepted | SendOutcome::TooLarge | SendOutcome::Odd(_) => false,
    };
    let recipients = queued.recipients.as_ref();
    is_theirs && recipients.is_some_and(|recipients| recipients.len() > 1)
}

/// It goes to each of them alone, so that one does not stand in the way of all others.
async fn part(unlocked: &Arc<Unlocked>, queued: &Queued) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let recipients = queued.recipients.iter().flatten();
    let alone: Vec<_> = recipients.map(|user_id| (user_id.clone(), None)).collect();
    holds::part(&mut journal, queued, &alone).await?;
    Ok(journal.commit().await?)
}

/// It cannot be sealed yet.
pub(crate) async fn put_off_for_now(
    unlocked: &Arc<Unlocked>,
    queued: &Queued,
) -> Result<(), Error> {
    let wait_ms = odd_wait_ms(unlocked, queued.attempts);
    put_off(unlocked, queued, wait_ms, None).await
}

/// Longer with every attempt, and spread by chance.
fn odd_wait_ms(unlocked: &Unlocked, attempts: u32) -> u64 {
    let ceiling = SHORTEST_WAIT_MS
        .saturating_mul(1 << attempts.min(16))
        .min(LONGEST_WAIT_MS);
    ceiling / 2 + unlocked.chance.clone().next_u64() % (ceiling / 2 + 1)
}

/// By far the most frequent end.
async fn accept(
    unlocked: &Arc<Unlocked>,
    queued: &Queued,
    message: MessageRow,
) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let now_ms = journal.now_ms();
    let Some(accepted) = outbox::accept(journal.tx(), queued, message, now_ms).await? else {
        return Ok(());
    };
    if let Some(event) = accepted.event {
        journal.note_event(event);
    }
    note_sent(&mut journal, queued).await?;
    journal.afterwards(move |unlocked| unlocked.counters.remove_queued(accepted.was_held));
    Ok(journal.commit().await?)
}

/// In a case it matters when: whoever joins may be told of it by nobody else.
async fn note_sent(journal: &mut Journal, queued: &Queued) -> Result<(), Error> {
    if queued.recipients.is_some() && !queued.resend {
        let now_ms = journal.now_ms();
        let (of, id) = (queued.conversation, queued.message_id);
        entries::note_sent(journal.tx(), of, id, now_ms).await?;
    }
    Ok(())
}

/// It never goes out.
pub(crate) async fn give_up(
    unlocked: &Arc<Unlocked>,
    queued: &Queued,
    reason: StateReason,
) -> Result<(), Error> {
    finish(unlocked, queued, RecipientState::Failed, Some(reason)).await
}

/// Out of the outbox, for good or ill.
async fn finish(
    unlocked: &Arc<Unlocked>,
    queued: &Queued,
    state: RecipientState,
    reason: Option<StateReason>,
) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let Some(was_held) = outbox::remove(journal.tx(), queued.row).await? else {
        return Ok(());
    };
    move_all(&mut journal, queued, state, reason).await?;
    if state == RecipientState::Sent {
        note_sent(&mut journal, queued).await?;
    }
    if let (Freight::Control(_), Some(reason)) = (queued.freight, reason) {
        tracing::warn!(reason = reason.word(), "a receipt or edit was given up");
    }
    journal.afterwards(move |unlocked| unlocked.counters.remove_queued(was_held));
    Ok(journal.commit().await?)
}

async fn put_off(
    unlocked: &Arc<Unlocked>,
    queued: &Queued,
    wait_ms: u64,
    hold: Option<StateReason>,
) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let due_ms = journal.now_ms().saturating_add(wait_ms);
    let attempts = queued.attempts.saturating_add(1);
    let was_held = outbox::postpone(journal.tx(), queued.row, attempts, due_ms, hold).await?;
    let state = match hold {
        Some(_) => RecipientState::Held,
        None => RecipientState::Queued,
    };
    move_all(&mut journal, queued, state, hold).await?;
    let is_held = hold.is_some();
    journal.afterwards(move |unlocked| unlocked.counters.change_held(was_held, is_held));
    Ok(journal.commit().await?)
}

/// Recipients that are there already, or further, are left alone: a wait that goes on is not news, and a receipt may
/// come before the relay's answer.
async fn move_all(
    journal: &mut Journal,
    queued: &Queued,
    state: RecipientState,
    reason: Option<StateReason>,
) -> Result<(), Error> {
    let Freight::Message(row) = queued.freight else {
        return Ok(());
    };
    if queued.resend {
        return Ok(());
    }
    let Some(sent) = recipients::find_sent_row(journal.tx(), row).await? else {
        return Ok(());
    };
    for recipient in recipients::list(journal.tx(), row).await? {
        let recipients = queued.recipients.as_ref();
        if recipients.is_some_and(|named| !named.contains(&recipient.user_id)) {
            continue;
        }
        let is_open = matches!(
            recipient.state,
            RecipientState::Queued | RecipientState::Held
        );
        if is_open {
            journal
                .move_recipient(&sent, &recipient.user_id, state, reason)
                .await?;
        }
    }
    Ok(())
}
