//! The outbox loop: what is queued goes out in order, the same bytes at every attempt (D20).

use std::sync::Arc;
use std::time::Duration;

use connect_points::{Point, pass};
use connect_store::conversations::Conversation;
use connect_store::outbox::{self, Queued};
use connect_store::{contacts, drafts};
use connect_uplink::backoff::Backoff;

use crate::error::{Error, cut_off};
use crate::holds;
use crate::journal::Journal;
use crate::seal::seal_again;
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
    let Some(queued) = outbox::find_due(&unlocked.store, now_ms, LONGEST_WAIT_MS).await? else {
        let until_ms = outbox::next_due_ms(&unlocked.store).await?;
        return Ok(Turn::Idle { until_ms });
    };
    let sealed_anew;
    let envelope = match &queued.envelope {
        Some(envelope) => envelope,
        None => match seal_now(unlocked, &queued).await? {
            Some(envelope) => {
                sealed_anew = envelope;
                &sealed_anew
            }
            None => return Ok(Turn::Progress),
        },
    };
    let mut chance = unlocked.chance.clone();
    pass(Point::BeforePost).map_err(cut_off)?;
    let outcome = unlocked
        .uplink
        .send(unlocked.credentials(), now_ms, &mut chance, envelope)
        .await?;
    pass(Point::AfterPostBeforeSettle).map_err(cut_off)?;
    settle::settle(unlocked, &queued, outcome).await?;
    Ok(Turn::Progress)
}

/// Seals what waited, or whose recipient's key changed since it was sealed. None where it has to wait, or is gone.
async fn seal_now(unlocked: &Arc<Unlocked>, queued: &Queued) -> Result<Option<Vec<u8>>, Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let Some(draft) = drafts::find(journal.tx(), queued.freight).await? else {
        return Ok(None);
    };
    let contact = match &draft.conversation {
        Conversation::User(user) => contacts::find_in(journal.tx(), user).await?,
        Conversation::Group(_) | Conversation::Case(_) => None,
    };
    let contact = contact.ok_or(Error::StorageFailed("recipient"))?;
    let sealed = seal_again(unlocked, draft, &contact)?;
    match &sealed {
        Ok(envelope) => outbox::reseal(journal.tx(), queued.row, envelope).await?,
        Err(reason) => holds::hold(&mut journal, queued.conversation, &contact, *reason).await?,
    }
    journal.commit().await?;
    Ok(sealed.ok())
}
