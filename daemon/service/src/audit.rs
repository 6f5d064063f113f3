//! The audit log: what writes is entered with what it wrote, the rest within a minute.
//!
//! The call that is being answered is known to the task that answers it: whichever transaction it commits has its entry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use connect_core::pseudonym::{self, pseudonym};
use connect_store::audit::{self, Deed, Entry, Tally, Verdict};
use connect_store::database::Tx;
use connect_store::error::StoreError;
use parking_lot::Mutex;

use crate::error::Error;
use crate::pending::Pending;
use crate::unlocked::Unlocked;

/// How long what is only read waits for its entry.
const PERIOD: Duration = Duration::from_mins(1);
pub(crate) const DONE: &str = "ok";

/// Something with an id, e.g. `user` and whose it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    pub kind: &'static str,
    pub id: String,
}

/// Who calls, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// `owner` or an app's id; none where nobody has shown who it is.
    pub app: Option<String>,
    pub uid: u32,
    pub pid: Option<u32>,
}

/// A call, from its beginning to its end.
#[derive(Clone)]
pub struct Act(Arc<Inner>);

struct Inner {
    who: Who,
    method: &'static str,
    object: Mutex<Option<Object>>,
    /// A transaction with its entry is durable.
    is_entered: AtomicBool,
}

tokio::task_local! {
    static CURRENT: Act;
}

impl Act {
    pub fn new(who: Who, method: &'static str, object: Option<Object>) -> Self {
        Self(Arc::new(Inner {
            who,
            method,
            object: Mutex::new(object),
            is_entered: AtomicBool::new(false),
        }))
    }

    pub fn method(&self) -> &'static str {
        self.0.method
    }

    /// Whether it was done and is in the log as that.
    pub fn is_entered(&self) -> bool {
        self.0.is_entered.load(Ordering::Acquire)
    }

    /// Does the work of the call: what it commits has this act's entry.
    pub async fn during<F: Future>(&self, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work).await
    }

    pub(crate) fn deed(&self, unlocked: Option<&Unlocked>, outcome: &str) -> Deed {
        let object = self.0.object.lock();
        Deed {
            app: self.0.who.app.clone(),
            uid: Some(self.0.who.uid),
            pid: self.0.who.pid,
            method: self.0.method.to_owned(),
            object: unlocked
                .zip(object.as_ref())
                .map(|(unlocked, object)| named(unlocked, object)),
            outcome: outcome.to_owned(),
        }
    }
}

impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Act({})", self.0.method)
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Object({})", self.kind)
    }
}

fn named(unlocked: &Unlocked, object: &Object) -> [u8; pseudonym::LEN] {
    pseudonym(&unlocked.pseudonym_key, object.kind, &object.id)
}

/// Takes the call that is being answered along into a task of its own.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let act = CURRENT.try_with(Act::clone).ok();
    async move {
        match act {
            Some(act) => act.during(work).await,
            None => work.await,
        }
    }
}

/// What is being answered turns out to be about this.
pub(crate) fn is_about(kind: &'static str, id: String) {
    // Outside a call there is nobody to say it of.
    let _ = CURRENT.try_with(|act| *act.0.object.lock() = Some(Object { kind, id }));
}

/// Enters the call that is being answered into its transaction. What is given back is to be marked after the commit.
pub(crate) async fn enter(
    tx: &mut Tx,
    unlocked: &Unlocked,
    outcome: &str,
) -> Result<Option<Act>, StoreError> {
    let Ok(act) = CURRENT.try_with(Act::clone) else {
        return Ok(None);
    };
    let now_ms = unlocked.clock.now_ms();
    let tally = Tally {
        first_ms: now_ms,
        last_ms: now_ms,
        count: 1,
    };
    audit::append(tx, &act.deed(Some(unlocked), outcome), tally).await?;
    Ok(Some(act))
}

pub(crate) fn mark(act: &Act) {
    act.0.is_entered.store(true, Ordering::Release);
}

/// Commits a transaction together with its entry.
pub(crate) async fn commit(mut tx: Tx, unlocked: &Unlocked) -> Result<(), StoreError> {
    let act = enter(&mut tx, unlocked, DONE).await?;
    tx.commit().await?;
    if let Some(act) = act {
        mark(&act);
    }
    Ok(())
}

/// Writes down what waits, refusals too.
pub async fn flush(unlocked: &Unlocked) -> Result<(), Error> {
    write(unlocked, unlocked.pending.take_all()).await
}

async fn write(unlocked: &Unlocked, waiting: Vec<(Deed, Tally)>) -> Result<(), Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    let written = write_all(unlocked, &waiting).await;
    if written.is_err() {
        unlocked.pending.put_back(waiting);
    }
    Ok(written?)
}

async fn write_all(unlocked: &Unlocked, waiting: &[(Deed, Tally)]) -> Result<(), StoreError> {
    let mut tx = unlocked.store.begin().await?;
    for (deed, tally) in waiting {
        audit::append(&mut tx, deed, *tally).await?;
    }
    tx.commit().await
}

pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    loop {
        tokio::select! {
            () = unlocked.ending.cancelled() => break,
            () = tokio::time::sleep(PERIOD) => {}
        }
        let due = unlocked.pending.take_due();
        if let Err(error) = write(&unlocked, due).await {
            tracing::warn!(%error, "the audit log was not written");
        }
    }
}

/// A reader that leaves meanwhile must not take along what it was about to write.
async fn flush_to_the_end(unlocked: &Arc<Unlocked>) -> Result<(), Error> {
    let here = Arc::clone(unlocked);
    let flushing = unlocked.loops.spawn(async move { flush(&here).await });
    flushing
        .await
        .map_err(|_| Error::Internal("the audit log's writing ended early"))?
}

/// Entries after `after`, oldest first, up to this moment.
pub async fn list(unlocked: &Arc<Unlocked>, after: u64, limit: u32) -> Result<Vec<Entry>, Error> {
    flush_to_the_end(unlocked).await?;
    Ok(audit::list(&unlocked.store, after, limit).await?)
}

pub async fn verify(unlocked: &Arc<Unlocked>) -> Result<Verdict, Error> {
    flush_to_the_end(unlocked).await?;
    Ok(audit::verify(&unlocked.store).await?)
}

/// Puts a call that has ended where it will be written down; what is in the log already is not entered again.
pub fn note(pending: &Pending, unlocked: Option<&Unlocked>, act: &Act, outcome: &str, now_ms: u64) {
    if outcome != DONE || !act.is_entered() {
        pending.add(act.deed(unlocked, outcome), now_ms);
    }
}
