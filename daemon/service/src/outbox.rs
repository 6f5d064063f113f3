//! The outbox loop: what is queued goes out in order, the same bytes at every attempt (D20).

use std::sync::Arc;
use std::time::Duration;

use connect_points::{Point, pass};
use connect_proto::ids::{CaseId, UserId};
use connect_store::codes::StateReason;
use connect_store::conversations::Conversation;
use connect_store::outbox::{self, OutboxRow, Queued};
use connect_store::{cases, drafts};
use connect_uplink::backoff::Backoff;

use crate::audience::{self, Instead};
use crate::casework::write;
use crate::error::{Error, cut_off};
use crate::holds;
use crate::journal::Journal;
use crate::seal::{Written, payload_of, seal_again};
use crate::settle::{self, LONGEST_WAIT_MS};
use crate::unlocked::Unlocked;

/// Wakes that were missed by a crash of the timer cost at most this.
const LONGEST_NAP: Duration = Duration::from_mins(5);

/// What one look into the outbox came to.
enum Turn {
    /// Something was sent, given up or put off: look again at once.
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
        match outcome {
            Ok(Turn::Progress) => backoff.reset(),
            Ok(Turn::Idle { until_ms }) => tokio::select! {
                () = unlocked.ending.cancelled() => break,
                () = unlocked.outbox_wake.notified() => {}
                () = tokio::time::sleep(nap_until(&unlocked, until_ms)) => {}
            },
            Err(error) => rest_after(&unlocked, error, &mut backoff).await,
        }
    }
}

/// The relay is not to be asked for a while, whatever else is queued meanwhile; unless it shows that it is back.
async fn rest_after(unlocked: &Unlocked, error: Error, backoff: &mut Backoff) {
    let pause = backoff.next_delay(&mut unlocked.chance.clone());
    let (pause, may_end_early) = match error {
        Error::RateLimited { retry_after_ms } => {
            (pause.max(Duration::from_millis(retry_after_ms)), false)
        }
        _ => (pause, true),
    };
    unlocked.note_storage(error);
    tracing::warn!(%error, pause_ms = pause.as_millis(), "a message was not sent yet");
    tokio::select! {
        () = unlocked.ending.cancelled() => {}
        () = unlocked.relay_is_back.notified(), if may_end_early => {}
        () = unlocked.store.condition().healed() => {}
        () = tokio::time::sleep(pause) => {}
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
    let Some(mut queued) = outbox::find_due(&unlocked.store, now_ms, LONGEST_WAIT_MS).await? else {
        let until_ms = outbox::next_due_ms(&unlocked.store).await?;
        return Ok(Turn::Idle { until_ms });
    };
    let (queued, envelope) = match queued.envelope.take() {
        Some(envelope) => (queued, envelope),
        None => match seal_now(unlocked, queued.row).await {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return Ok(Turn::Progress),
            Err(error) if is_of_the_row(error) => {
                tracing::warn!(%error, "a message cannot be sealed for now");
                settle::put_off_for_now(unlocked, &queued).await?;
                return Ok(Turn::Progress);
            }
            Err(error) => return Err(error),
        },
    };
    let mut chance = unlocked.chance.clone();
    pass(Point::BeforePost).map_err(cut_off)?;
    let me = unlocked.me();
    let outcome = unlocked
        .uplink
        .send(me.credentials(), now_ms, &mut chance, &envelope)
        .await?;
    pass(Point::AfterPostBeforeSettle).map_err(cut_off)?;
    settle::settle(unlocked, &queued, outcome).await?;
    Ok(Turn::Progress)
}

/// What keeps one row from being sealed must not keep all others waiting.
fn is_of_the_row(error: Error) -> bool {
    match error {
        Error::StorageFailed(what) => what == write::NO_KEY,
        Error::TooLarge | Error::NotFound | Error::UnknownContact | Error::NotAParticipant => true,
        _ => false,
    }
}

/// Something sealed, and for whom.
type Sealed = (Queued, Vec<u8>);

/// Seals what waited, or whose recipient's key changed since it was sealed: for those whom it is still to go to. None where
/// it has to wait, or is gone.
async fn seal_now(unlocked: &Arc<Unlocked>, row: OutboxRow) -> Result<Option<Sealed>, Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let Some(queued) = outbox::find_in(journal.tx(), row).await? else {
        return Ok(None);
    };
    let Some(draft) = drafts::find(journal.tx(), queued.freight).await? else {
        return Ok(None);
    };
    if let (Conversation::Case(case_id), Some(_)) = (&draft.conversation, &queued.recipients) {
        let case_id = *case_id;
        return seal_entry(journal, queued, draft, case_id).await;
    }
    let audience = match (&draft.conversation, &queued.recipients) {
        (named @ Conversation::User(_), _) => audience::everyone(&mut journal, named).await?,
        (named, Some(users)) => audience::some(&mut journal, named, users).await?,
        (_, None) => return Err(Error::StorageFailed("recipients")),
    };
    let written = Written {
        message_id: draft.message_id,
        timestamp_ms: draft.timestamp_ms,
        installation_id: draft.installation_id,
        sequence: draft.sequence,
        payload: payload_of(draft.content)?,
    };
    let instead = Instead::of(&mut journal, &written.payload, &audience).await?;
    let sealed = seal_again(unlocked, &written, &audience, &instead)?;
    let each = audience.each(&sealed);
    let waiting = each.iter().filter(|to| to.hold.is_some());
    let waiting: Vec<_> = waiting.map(|to| (to.user_id.clone(), to.hold)).collect();
    match waiting.as_slice() {
        [] => {}
        [(user_id, Some(reason))] if !audience.is_shared() || queued.lane.is_of_one() => {
            holds::hold(&mut journal, queued.lane, user_id, *reason).await?;
        }
        some => holds::part(&mut journal, &queued, some).await?,
    }
    let ready = each.iter().filter(|to| to.hold.is_none());
    let ready = ready.map(|to| to.user_id.clone()).collect();
    finish_sealing(journal, queued, ready, sealed.envelope).await
}

async fn finish_sealing(
    mut journal: Journal,
    queued: Queued,
    ready: Vec<UserId>,
    envelope: Option<Vec<u8>>,
) -> Result<Option<Sealed>, Error> {
    if let Some(envelope) = &envelope {
        outbox::reseal(journal.tx(), queued.row, envelope).await?;
    }
    journal.commit().await?;
    let recipients = queued.recipients.is_some().then_some(ready);
    let queued = Queued {
        recipients,
        ..queued
    };
    Ok(envelope.map(|envelope| (queued, envelope)))
}

/// An entry of a case: under the epoch that is in force by now. One that nobody would take any more is given up.
async fn seal_entry(
    mut journal: Journal,
    queued: Queued,
    draft: drafts::Draft,
    case_id: CaseId,
) -> Result<Option<Sealed>, Error> {
    let case = cases::find_in(journal.tx(), case_id).await?;
    let case = case.ok_or(Error::StorageFailed("cases"))?;
    let payload = payload_of(draft.content)?;
    if write::comes_too_late(&mut journal, &case, &payload).await? {
        let unlocked = Arc::clone(journal.unlocked());
        drop(journal);
        settle::give_up(&unlocked, &queued, StateReason::TooLate).await?;
        return Ok(None);
    }
    let users = queued.recipients.clone().unwrap_or_default();
    let readers = write::with_holds(&mut journal, users).await?;
    let waiting: Vec<_> = readers
        .iter()
        .filter(|(_, hold)| hold.is_some())
        .cloned()
        .collect();
    match waiting.as_slice() {
        [] => {}
        [(user_id, Some(reason))] if queued.lane.is_of_one() => {
            holds::hold(&mut journal, queued.lane, user_id, *reason).await?;
        }
        some => holds::part(&mut journal, &queued, some).await?,
    }
    let entry = write::Draft {
        message_id: draft.message_id,
        timestamp_ms: draft.timestamp_ms,
        sequence: draft.sequence,
        installation_id: draft.installation_id,
        ephemeral: false,
        payload: &payload,
    };
    let envelope = write::seal(&mut journal, &case, entry, &readers).await?;
    let ready = readers.into_iter().filter(|(_, hold)| hold.is_none());
    let ready = ready.map(|(user, _)| user).collect();
    finish_sealing(journal, queued, ready, envelope).await
}
