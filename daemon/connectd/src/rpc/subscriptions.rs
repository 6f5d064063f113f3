//! Event subscriptions, owned by their connection: no other one can end them, and they end with it.

use std::collections::HashMap;
use std::sync::Arc;

use connect_service::events;
use connect_service::session::{Phase, Session};
use connect_service::unlocked::Unlocked;
use connect_store::codes::EventKind;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::rpc::notifications::{expired_notification, notification};

/// Rows read at once; a slow subscriber holds no more than these.
const BATCH: u32 = 64;

/// A subscription that was answered but does not run yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    id: u64,
    after: u64,
    /// Which events are told; none: all of them.
    kinds: Option<Vec<EventKind>>,
}

#[derive(Debug, Default)]
struct State {
    last_id: u64,
    wanted: Vec<Wanted>,
    running: HashMap<u64, AbortHandle>,
}

/// A line for the client, and the subscription that it is told to.
pub(crate) type Told = (u64, String);

/// The subscriptions of one connection.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    max: usize,
    state: Mutex<State>,
}

/// The connection has as many subscriptions as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Subscriptions {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            state: Mutex::default(),
        }
    }

    /// Returns the new subscription's id. It begins once `start_wanted` is called: after the answer.
    pub(crate) fn open(&self, after: u64, kinds: Option<Vec<EventKind>>) -> Result<u64, TooMany> {
        let mut state = self.state.lock();
        if state.wanted.len() + state.running.len() >= self.max {
            return Err(TooMany);
        }
        state.last_id += 1;
        let id = state.last_id;
        state.wanted.push(Wanted { id, after, kinds });
        Ok(id)
    }

    /// Returns whether there was such a subscription on this connection.
    pub(crate) fn close(&self, id: u64) -> bool {
        let mut state = self.state.lock();
        let wanted = state.wanted.len();
        state.wanted.retain(|wanted| wanted.id != id);
        let was_running = state.running.remove(&id).is_some_and(|task| {
            task.abort();
            true
        });
        was_running || state.wanted.len() < wanted
    }

    /// What one that has ended had still to tell is told no more.
    pub(crate) fn is_running(&self, id: u64) -> bool {
        self.state.lock().running.contains_key(&id)
    }

    pub(crate) fn close_all(&self) {
        let mut state = self.state.lock();
        state.wanted.clear();
        for (_, task) in state.running.drain() {
            task.abort();
        }
    }

    pub(crate) fn start_wanted(
        &self,
        session: &Arc<Session>,
        to: &mpsc::Sender<Told>,
        tasks: &mut JoinSet<()>,
    ) {
        let mut state = self.state.lock();
        for wanted in std::mem::take(&mut state.wanted) {
            let id = wanted.id;
            let following = follow(Arc::clone(session), wanted, to.clone());
            state.running.insert(id, tasks.spawn(following));
        }
    }
}

/// Replays, then follows; between sessions it waits. It ends when the connection does.
async fn follow(session: Arc<Session>, wanted: Wanted, to: mpsc::Sender<Told>) {
    let mut phase = session.follow();
    let mut cursor = wanted.after;
    loop {
        let Some(newest) = next_session(&mut phase).await else {
            return;
        };
        if follow_session(&session, &wanted, &mut cursor, newest, &to)
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Waits for an open session. The keys are not held meanwhile: only a number of it is followed.
async fn next_session(phase: &mut watch::Receiver<Phase>) -> Option<watch::Receiver<u64>> {
    let open = phase
        .wait_for(|phase| matches!(phase, Phase::Unlocked(_)))
        .await
        .ok()?;
    let Phase::Unlocked(unlocked) = &*open else {
        return None;
    };
    Some(events::follow(unlocked))
}

/// `Some` where the session ended, `None` where the connection did.
async fn follow_session(
    session: &Session,
    wanted: &Wanted,
    cursor: &mut u64,
    mut newest: watch::Receiver<u64>,
    to: &mpsc::Sender<Told>,
) -> Option<()> {
    if let Some((from, gone)) = expired(session, *cursor).await {
        let line = expired_notification(wanted.id, from, gone);
        to.send((wanted.id, line)).await.ok()?;
        *cursor = gone;
    }
    loop {
        newest.mark_unchanged();
        let seen = *newest.borrow();
        while let Some((batch, last)) = read_batch(session, wanted, *cursor).await {
            if batch.is_empty() {
                // What is not for it is not read again and again.
                *cursor = seen.min(last).max(*cursor);
                break;
            }
            for (event_id, frame) in batch {
                to.send((wanted.id, frame)).await.ok()?;
                *cursor = event_id;
            }
        }
        let is_over = session.unlocked().is_err();
        if is_over || newest.changed().await.is_err() {
            return Some(());
        }
    }
}

async fn expired(session: &Session, after: u64) -> Option<(u64, u64)> {
    let unlocked: Arc<Unlocked> = session.unlocked().ok()?;
    events::expired(&unlocked, after).await.ok()?
}

/// Event ids with their lines, and the last id that may be told; none where the session is not open any more.
async fn read_batch(
    session: &Session,
    wanted: &Wanted,
    after: u64,
) -> Option<(Vec<(u64, String)>, u64)> {
    let (unlocked, last) = session.followed()?;
    let batch = events::list_of(&unlocked, wanted.kinds.as_deref(), after, BATCH)
        .await
        .ok()?;
    // It may have been covered while they were read; where it was locked, they end with what says so.
    let last = session.followed().map_or(last, |(_, now)| now.min(last));
    let lines = batch
        .into_iter()
        .filter(|event| event.event_id <= last)
        .map(|event| (event.event_id, notification(wanted.id, event)))
        .collect();
    Some((lines, last))
}
