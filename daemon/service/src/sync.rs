//! The receive loop: one long poll at a time, its acknowledgements riding on the next one (§8.1, D19).

use std::sync::Arc;
use std::time::Duration;

use connect_points::{Point, pass};
use connect_proto::list::Piece;
use connect_proto::{routes, wire};
use connect_store::codes::EventKind;
use connect_uplink::backoff::Backoff;
use connect_uplink::error::UplinkError;
use tokio::time::Instant;

use crate::asking::ask_for_missing;
use crate::error::{Error, cut_off};
use crate::journal::Journal;
use crate::receive::take_in;
use crate::unlocked::Unlocked;
use crate::unopened;

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut backoff = Backoff::new();
    // Kept in memory: after a restart the relay delivers again, and what is stored already is only acknowledged.
    let mut before = Before::default();
    while !unlocked.ending.is_cancelled() {
        let turn = one_turn(&unlocked, &mut before);
        let outcome = tokio::select! {
            () = unlocked.ending.cancelled() => break,
            outcome = turn => outcome,
        };
        let pause = match outcome {
            Ok(Turn::Well) => {
                backoff.reset();
                continue;
            }
            Ok(Turn::Hurried) => backoff.next_delay(&mut unlocked.chance.clone()),
            Err(error) => {
                let pause = pause_after(&error, &mut backoff, &unlocked);
                unlocked.note_storage(error);
                tracing::warn!(%error, pause_ms = pause.as_millis(), "the relay was not read");
                pause
            }
        };
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = unlocked.store.condition().healed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What the page before leaves to do.
#[derive(Default)]
struct Before {
    acks: Vec<wire::AckEntry>,
    /// Once the relay has the acknowledgements, somebody is to be asked.
    is_asking: bool,
}

/// What one long poll came to.
enum Turn {
    Well,
    /// It brought nothing new and took no time: asking again at once would never end.
    Hurried,
}

fn pause_after(error: &Error, backoff: &mut Backoff, unlocked: &Unlocked) -> Duration {
    let pause = backoff.next_delay(&mut unlocked.chance.clone());
    match error {
        Error::RateLimited { retry_after_ms } => pause.max(Duration::from_millis(*retry_after_ms)),
        _ => pause,
    }
}

async fn one_turn(unlocked: &Arc<Unlocked>, before: &mut Before) -> Result<Turn, Error> {
    ask_for_missing(unlocked).await?;
    let ack = wire::Ack {
        entries: before.acks.clone(),
        // Whether the relay is there at all is told at once; only then is it worth waiting for.
        wait_ms: if unlocked.counters.reachable() && !before.is_asking {
            routes::MAX_WAIT_MS
        } else {
            0
        },
        limit: u32::try_from(routes::MAX_RECEIVE_ENVELOPES).unwrap_or(u32::MAX),
    };
    let asked = Instant::now();
    let page = ask(unlocked, &ack).await?;
    before.acks.clear();
    before.is_asking = false;
    unlocked.counters.set_last_sync_ms(unlocked.clock.now_ms());
    note_reachable(unlocked, true).await?;
    unopened::ask(unlocked).await?;
    let is_early = asked.elapsed() < Duration::from_millis(ack.wait_ms.into()) / 2;
    if page.is_empty() {
        return Ok(if is_early { Turn::Hurried } else { Turn::Well });
    }
    pass(Point::BeforePage).map_err(cut_off)?;
    let page = take_in(unlocked, page).await?;
    pass(Point::AfterPageBeforeAck).map_err(cut_off)?;
    before.acks = page.acks;
    before.is_asking = page.has_unopened;
    Ok(if page.is_incomplete {
        Turn::Hurried
    } else {
        Turn::Well
    })
}

async fn ask(unlocked: &Arc<Unlocked>, ack: &wire::Ack) -> Result<Vec<Piece>, Error> {
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let me = unlocked.me();
    let answer = unlocked
        .uplink
        .receive(me.credentials(), now_ms, &mut chance, ack)
        .await;
    match answer {
        Ok(page) => {
            // By the time that the relay has just taken for its own: ours may have jumped while it was waited for.
            let relay_time = now_ms.saturating_add_signed(unlocked.uplink.clock_offset_ms());
            unlocked.relay_time.send_replace(Some(relay_time));
            Ok(page)
        }
        Err(error) => {
            if is_out_of_reach(&error) {
                note_reachable(unlocked, false).await?;
            }
            Err(error.into())
        }
    }
}

/// A relay that answers, if only to refuse, is there.
fn is_out_of_reach(error: &UplinkError) -> bool {
    matches!(
        error,
        UplinkError::Unreachable | UplinkError::PinMismatch | UplinkError::CertificateInvalid
    )
}

/// Tells of the relay's coming and going once each.
pub(crate) async fn note_reachable(unlocked: &Arc<Unlocked>, reachable: bool) -> Result<(), Error> {
    if !unlocked.counters.set_reachable(reachable) {
        return Ok(());
    }
    if reachable {
        unlocked.relay_is_back.notify_one();
        unlocked.transfers.wake();
    }
    let mut journal = Journal::begin(unlocked).await?;
    let kind = if reachable {
        EventKind::RelayReachable
    } else {
        EventKind::RelayUnreachable
    };
    journal.note(kind).await?;
    Ok(journal.commit().await?)
}
