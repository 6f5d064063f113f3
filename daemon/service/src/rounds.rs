//! Once a day the directory is asked about every contact: where the relay tells nobody of a change (`relay.md`), or was
//! told not to, it is noticed all the same.
//!
//! Time is the relay's here, as in `upkeep`.

use std::sync::Arc;
use std::time::Duration;

use connect_proto::ids::UserId;
use connect_proto::routes;
use connect_store::contacts;
use connect_store::rounds::{self, Round, Stage};

use crate::contacts::refresh;
use crate::error::Error;
use crate::unlocked::Unlocked;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// How often it is looked whether a round is due, and how soon one that was cut off goes on.
const PERIOD: Duration = Duration::from_hours(1);
/// Contacts that are asked about at once: one request, one transaction.
const AT_ONCE: usize = routes::MAX_LOOKUP;

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut time = unlocked.relay_time.subscribe();
    loop {
        let now_ms = tokio::select! {
            () = unlocked.ending.cancelled() => break,
            time = time.wait_for(Option::is_some) => time.ok().and_then(|time| *time),
        };
        if let Some(now_ms) = now_ms
            && let Err(error) = go_on(&unlocked, now_ms).await
        {
            tracing::warn!(%error, "the directory was not asked about all contacts");
        }
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// Goes on with the round that was cut off, or begins one where a day has passed.
async fn go_on(unlocked: &Arc<Unlocked>, now_ms: u64) -> Result<(), Error> {
    let Some(mut round) = rounds::find(&unlocked.store).await? else {
        // The first day's contacts have just been asked about.
        let first = Round {
            began_ms: now_ms,
            stage: Stage::Done,
        };
        return note(unlocked, &first).await;
    };
    // A relay whose clock was set back is not asked all the time.
    if round.stage == Stage::Done && now_ms.abs_diff(round.began_ms) >= DAY_MS {
        round = Round {
            began_ms: now_ms,
            stage: Stage::CameTo(None),
        };
    }
    while let Stage::CameTo(after) = &round.stage {
        if unlocked.ending.is_cancelled() {
            break;
        }
        round.stage = one_page(unlocked, after.as_ref()).await?;
        note(unlocked, &round).await?;
    }
    Ok(())
}

async fn one_page(unlocked: &Arc<Unlocked>, after: Option<&UserId>) -> Result<Stage, Error> {
    let limit = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
    let users = contacts::ids(&unlocked.store, after, limit).await?;
    if !users.is_empty() {
        refresh(unlocked, &users, &[]).await?;
    }
    Ok(match users.last() {
        Some(last) if users.len() == AT_ONCE => Stage::CameTo(Some(last.clone())),
        _ => Stage::Done,
    })
}

async fn note(unlocked: &Unlocked, round: &Round) -> Result<(), Error> {
    let mut tx = unlocked.store.begin().await?;
    rounds::put(&mut tx, round).await?;
    Ok(tx.commit().await?)
}
