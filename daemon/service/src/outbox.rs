//! The outbox loop: what is queued goes out in order, the same bytes at every attempt (D20).

use std::sync::Arc;
use std::time::Duration;

use connect_store::codes::{RecipientState, StateReason};
use connect_store::messages;
use connect_store::outbox::{self, Queued};
use connect_uplink::backoff::Backoff;
use connect_uplink::uplink::SendOutcome;

use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// How soon a message whose recipient's mailbox is full is tried again where the relay does not say.
const FULL_MAILBOX_MS: u64 = 60_000;
/// Wakes that were missed by a crash of the timer cost at most this.
const LONGEST_NAP: Duration = Duration::from_mins(5);

/// What one look into the outbox came to.
enum Turn {
    /// Something was sent or given up: look again at once.
    Progress,
    /// Nothing is due; the next one may be later.
    Idle { until_ms: Option<u64> },
}

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut backoff = Backoff::new();
    while !unlocked.ending.is_cancelled() {
        let outcome = tokio::select! {
            () = unlocked.ending.cancelled() => break,
            outcome = one_turn(&unlocked) => outcome,
        };
        let nap = match outcome {
            Ok(Turn::Progress) => {
                backoff.reset();
                continue;
            }
            Ok(Turn::Idle { until_ms }) => nap_until(&unlocked, until_ms),
            Err(error) => {
                let pause = backoff.next_delay(&mut unlocked.chance.clone());
                unlocked.note_storage(error);
                tracing::warn!(%error, pause_ms = pause.as_millis(), "a message was not sent yet");
                pause
            }
        };
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = unlocked.outbox_wake.notified() => {}
            () = tokio::time::sleep(nap) => {}
        }
    }
}

fn nap_until(unlocked: &Unlocked, until_ms: Option<u64>) -> Duration {
    until_ms.map_or(LONGEST_NAP, |until_ms| {
        let wait = Duration::from_millis(until_ms.saturating_sub(unlocked.clock.now_ms()));
        wait.min(LONGEST_NAP)
    })
}

async fn one_turn(unlocked: &Arc<Unlocked>) -> Result<Turn, Error> {
    let now_ms = unlocked.clock.now_ms();
    let Some(queued) = outbox::find_due(&unlocked.store, now_ms).await? else {
        let until_ms = outbox::next_due_ms(&unlocked.store).await?;
        return Ok(Turn::Idle { until_ms });
    };
    let outcome = unlocked
        .uplink
        .send(
            unlocked.credentials(),
            now_ms,
            &mut unlocked.chance.clone(),
            &queued.envelope,
        )
        .await?;
    settle(unlocked, &queued, outcome).await?;
    Ok(Turn::Progress)
}

async fn settle(
    unlocked: &Arc<Unlocked>,
    queued: &Queued,
    outcome: SendOutcome,
) -> Result<(), Error> {
    match outcome {
        SendOutcome::Accepted => finish(unlocked, queued, RecipientState::Sent, None).await,
        SendOutcome::MailboxFull { retry_after_ms } => {
            hold(unlocked, queued, retry_after_ms.unwrap_or(FULL_MAILBOX_MS)).await
        }
        SendOutcome::Conflict => fail(unlocked, queued, StateReason::IdConflict).await,
        SendOutcome::TooLarge => fail(unlocked, queued, StateReason::TooLarge).await,
        SendOutcome::UnknownRecipient => {
            fail(unlocked, queued, StateReason::UnknownRecipient).await
        }
        SendOutcome::Refused => fail(unlocked, queued, StateReason::Refused).await,
    }
}

async fn fail(unlocked: &Arc<Unlocked>, queued: &Queued, reason: StateReason) -> Result<(), Error> {
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
    outbox::remove(journal.tx(), queued.message).await?;
    let was_held = move_all(&mut journal, queued, state, reason).await?;
    journal.afterwards(move |unlocked| unlocked.counters.remove_queued(was_held));
    Ok(journal.commit().await?)
}

async fn hold(unlocked: &Arc<Unlocked>, queued: &Queued, wait_ms: u64) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let due_ms = journal.now_ms().saturating_add(wait_ms);
    outbox::postpone(journal.tx(), queued.message, queued.attempts + 1, due_ms).await?;
    let reason = Some(StateReason::MailboxFull);
    let was_held = move_all(&mut journal, queued, RecipientState::Held, reason).await?;
    if !was_held {
        journal.afterwards(|unlocked| unlocked.counters.add_held());
    }
    Ok(journal.commit().await?)
}

/// Recipients that are in the state already are left alone: a wait that goes on is not news. Returns whether the
/// message was held before.
async fn move_all(
    journal: &mut Journal,
    queued: &Queued,
    state: RecipientState,
    reason: Option<StateReason>,
) -> Result<bool, Error> {
    let mut was_held = false;
    for recipient in messages::list_recipients(journal.tx(), queued.message).await? {
        was_held |= recipient.state == RecipientState::Held;
        if (recipient.state, recipient.reason) != (state, reason) {
            let message = (queued.message, queued.message_id);
            journal
                .move_recipient(
                    queued.conversation,
                    message,
                    &recipient.user_id,
                    state,
                    reason,
                )
                .await?;
        }
    }
    Ok(was_held)
}
