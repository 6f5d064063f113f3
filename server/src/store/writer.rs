//! The group commit: changes that wait at the same time share one transaction and one fsync.

use std::future::Future;

use connect_points::{Failed, Point, pass, pass_done};
use connect_proto::ids::UserId;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::mpsc;

use super::keys::Keys;
use super::nonces::{self, Nonce};
use super::pending::{self, Pending};
use super::{ChangeError, UserNumber};
use crate::wakes::Wakes;

/// Changes in one transaction at most.
const MAX_BATCH: usize = 256;

/// What a change works on: the transaction, and who must learn of it once it is durable. The writer tells them, not
/// who asked for the change: that one may be gone by then.
#[derive(Debug)]
pub(crate) struct Tx {
    pub(crate) connection: SqliteConnection,
    pub(crate) woken: Vec<UserNumber>,
    pub(crate) rekeyed: Vec<UserId>,
}

impl Tx {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection,
            woken: Vec::new(),
            rekeyed: Vec::new(),
        }
    }

    fn forget_the_attempt(&mut self) {
        self.woken.clear();
        self.rekeyed.clear();
    }
}

/// One kind of change of the database. It may be applied more than once: what came before is rolled back then.
pub(crate) trait Change: Send + 'static {
    type Outcome: Send + 'static;

    /// Makes all of one group that are of this kind, as if one after the other; one outcome for each.
    fn apply_all(
        changes: &mut [&mut Self],
        tx: &mut Tx,
    ) -> impl Future<Output = Result<Vec<Self::Outcome>, sqlx::Error>> + Send;
}

/// A change that gains nothing from being made together with others of its kind.
pub(crate) trait Single: Send + 'static {
    type Outcome: Send + 'static;

    fn apply(
        &mut self,
        tx: &mut Tx,
    ) -> impl Future<Output = Result<Self::Outcome, sqlx::Error>> + Send;
}

impl<S: Single> Change for S {
    type Outcome = S::Outcome;

    async fn apply_all(
        changes: &mut [&mut Self],
        tx: &mut Tx,
    ) -> Result<Vec<S::Outcome>, sqlx::Error> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.push(change.apply(tx).await?);
        }
        Ok(outcomes)
    }
}

/// Spends a nonce and changes nothing else.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Single for Nothing {
    type Outcome = ();

    async fn apply(&mut self, _: &mut Tx) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

/// Serves the queue until its last sender is gone.
pub(super) async fn run(
    mut tx: Tx,
    mut queue: mpsc::Receiver<Box<dyn Pending>>,
    keys: Keys,
    wakes: Wakes,
) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    let mut failing = false;
    while queue.recv_many(&mut batch, MAX_BATCH).await > 0 {
        let outcome = commit(&mut tx, &mut batch).await;
        note(&mut failing, outcome.as_ref().err());
        if let Err(error) = outcome {
            for pending in &mut batch {
                pending.refuse(ChangeError::from(&error));
            }
            tx.forget_the_attempt();
        }
        for user in tx.rekeyed.drain(..) {
            keys.forget(&user);
        }
        for user in tx.woken.drain(..) {
            wakes.wake(user);
        }
        for pending in batch.drain(..) {
            pending.answer();
        }
    }
    if let Err(error) = tx.connection.close().await {
        tracing::warn!(%error, "the database was not closed cleanly");
    }
}

/// Once when it begins and once when it ends: a log must not fill what is left of a disk.
fn note(failing: &mut bool, error: Option<&sqlx::Error>) {
    match error {
        Some(error) if !*failing => {
            tracing::error!(%error, "nothing can be made durable: requests are refused");
        }
        None if *failing => tracing::info!("changes are made durable again"),
        _ => {}
    }
    *failing = error.is_some();
}

/// All in one transaction. Should one change fail, the transaction starts again with a savepoint around each, so that
/// only that one is refused; the good case does not pay for it.
async fn commit(tx: &mut Tx, batch: &mut [Box<dyn Pending>]) -> Result<(), sqlx::Error> {
    for savepoints in [false, true] {
        let attempt = attempt(tx, batch, savepoints).await;
        let Err(error) = attempt else { return Ok(()) };
        tx.forget_the_attempt();
        // Some failures have rolled back already, and then this one says that there is nothing to do.
        let _ = sqlx::query("ROLLBACK").execute(&mut tx.connection).await;
        if savepoints || ChangeError::from(&error) == ChangeError::NoRoom {
            return Err(error);
        }
        tracing::warn!(%error, "a change failed; its group is made again, one by one");
    }
    Ok(())
}

async fn attempt(
    tx: &mut Tx,
    batch: &mut [Box<dyn Pending>],
    savepoints: bool,
) -> Result<(), sqlx::Error> {
    let nonces: Vec<Nonce> = batch.iter().filter_map(|pending| pending.nonce()).collect();
    let mut fresh = nonces::begin_spending(tx, &nonces).await?;
    let mut admitted: Vec<&mut dyn Pending> = Vec::with_capacity(batch.len());
    for pending in batch {
        if pending.nonce().is_some_and(|nonce| !fresh.spend(nonce)) {
            pending.refuse(ChangeError::Replayed);
        } else {
            admitted.push(pending.as_mut());
        }
    }
    if savepoints {
        for pending in admitted {
            apply_alone(tx, pending).await?;
        }
    } else {
        apply_by_kind(tx, admitted).await?;
    }
    pass(Point::RelayBeforeCommit).map_err(failed_commit)?;
    sqlx::query("COMMIT").execute(&mut tx.connection).await?;
    pass_done(Point::RelayAfterCommit);
    Ok(())
}

/// As if the disk said no.
fn failed_commit(failed: Failed) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other(failed))
}

/// Who asked for them asked at the same time: their order is ours to choose.
async fn apply_by_kind(
    tx: &mut Tx,
    mut admitted: Vec<&mut dyn Pending>,
) -> Result<(), sqlx::Error> {
    while let Some(first) = admitted.first() {
        let kind = first.kind();
        let (same, others): (Vec<_>, Vec<_>) = admitted
            .into_iter()
            .partition(|pending| pending.kind() == kind);
        pending::apply(tx, same).await?;
        admitted = others;
    }
    Ok(())
}

async fn apply_alone(tx: &mut Tx, pending: &mut dyn Pending) -> Result<(), sqlx::Error> {
    sqlx::query("SAVEPOINT change")
        .execute(&mut tx.connection)
        .await?;
    if let Err(error) = pending::apply(tx, vec![&mut *pending]).await {
        tracing::error!(%error, "a change was not made");
        pending.refuse(ChangeError::from(&error));
        sqlx::query("ROLLBACK TO change")
            .execute(&mut tx.connection)
            .await?;
    }
    sqlx::query("RELEASE change")
        .execute(&mut tx.connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use tempfile::TempDir;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::store::Store;

    const USER: UserNumber = UserNumber(1);

    /// Writes a code row, and fails after that if told to.
    struct Mark {
        hash: Vec<u8>,
        fails: bool,
    }

    impl Single for Mark {
        type Outcome = ();

        async fn apply(&mut self, tx: &mut Tx) -> Result<(), sqlx::Error> {
            sqlx::query("INSERT INTO codes (hash, user_id, expires_ms) VALUES (?, 'alice', 0)")
                .bind(self.hash.as_slice())
                .execute(&mut tx.connection)
                .await?;
            if self.fails {
                Err(sqlx::Error::RowNotFound)
            } else {
                Ok(())
            }
        }
    }

    async fn store() -> (TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Wakes::default(), &TaskTracker::new())
            .await
            .unwrap();
        (dir, store)
    }

    async fn marks(store: &Store) -> Vec<Vec<u8>> {
        sqlx::query_scalar("SELECT hash FROM codes ORDER BY hash")
            .fetch_all(store.readers())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_failing_change_leaves_nothing_and_takes_nobody_along() {
        let (_dir, store) = store().await;
        let changes = (0..20_u8).map(|n| {
            store.change(
                None,
                Mark {
                    hash: vec![n],
                    fails: n % 5 == 0,
                },
            )
        });
        let outcomes = join_all(changes).await;
        for (n, outcome) in outcomes.iter().enumerate() {
            let expected = if n % 5 == 0 {
                Err(ChangeError::Unavailable)
            } else {
                Ok(())
            };
            assert_eq!(*outcome, expected, "{n}");
        }
        let expected: Vec<_> = (0..20_u8).filter(|n| n % 5 != 0).map(|n| vec![n]).collect();
        assert_eq!(marks(&store).await, expected);
    }

    #[tokio::test]
    async fn a_nonce_is_spent_once_also_within_one_group_and_by_a_failing_change() {
        let (_dir, store) = store().await;
        let nonce = |n: u8| Some(Nonce::new(USER, [n; 16], 0));
        let twice = (0..2_u8).map(|n| {
            store.change(
                nonce(1),
                Mark {
                    hash: vec![n],
                    fails: false,
                },
            )
        });
        assert_eq!(join_all(twice).await, [Ok(()), Err(ChangeError::Replayed)]);
        let failing = store
            .change(
                nonce(2),
                Mark {
                    hash: vec![7],
                    fails: true,
                },
            )
            .await;
        assert_eq!(failing, Err(ChangeError::Unavailable));
        assert_eq!(
            store.change(nonce(2), Nothing).await,
            Err(ChangeError::Replayed)
        );
        assert_eq!(marks(&store).await, [vec![0]]);
    }

    #[tokio::test]
    async fn a_change_stands_even_if_nobody_waits_for_it() {
        let (_dir, store) = store().await;
        let mark = |n: u8| Mark {
            hash: vec![n],
            fails: false,
        };
        let _ = futures_util::poll!(Box::pin(store.change(None, mark(1))));
        store.change(None, mark(2)).await.unwrap();
        assert_eq!(marks(&store).await, [vec![1], vec![2]]);
    }
}
