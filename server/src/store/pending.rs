//! A change in the writer's queue: its kind erased, and found again to make those of one kind together.

use std::any::{Any, TypeId};
use std::future::Future;
use std::pin::Pin;

use tokio::sync::oneshot;

use super::ChangeError;
use super::nonces::Nonce;
use super::writer::{Change, Tx};

type Anything<'a> = &'a mut (dyn Any + Send);
type Applied<'a> = Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 'a>>;
type Apply = for<'a> fn(Vec<Anything<'a>>, &'a mut Tx) -> Applied<'a>;

pub(crate) trait Pending: Send {
    fn nonce(&self) -> Option<Nonce>;
    fn kind(&self) -> TypeId;
    fn as_any(&mut self) -> Anything<'_>;
    /// What makes changes of this kind.
    fn how(&self) -> Apply;
    fn refuse(&mut self, error: ChangeError);
    /// To be called once the fate of the transaction is known.
    fn answer(self: Box<Self>);
}

pub(super) fn pending<C: Change>(
    nonce: Option<Nonce>,
    change: C,
    answer: oneshot::Sender<Result<C::Outcome, ChangeError>>,
) -> Box<dyn Pending> {
    Box::new(Queued {
        nonce,
        change,
        outcome: Err(ChangeError::Unavailable),
        answer,
    })
}

/// Makes changes that are all of one kind.
pub(super) async fn apply(tx: &mut Tx, same: Vec<&mut dyn Pending>) -> Result<(), sqlx::Error> {
    let Some(how) = same.first().map(|first| first.how()) else {
        return Ok(());
    };
    how(same.into_iter().map(Pending::as_any).collect(), tx).await
}

struct Queued<C: Change> {
    nonce: Option<Nonce>,
    change: C,
    outcome: Result<C::Outcome, ChangeError>,
    answer: oneshot::Sender<Result<C::Outcome, ChangeError>>,
}

impl<C: Change> Pending for Queued<C> {
    fn nonce(&self) -> Option<Nonce> {
        self.nonce
    }

    fn kind(&self) -> TypeId {
        TypeId::of::<Self>()
    }

    fn as_any(&mut self) -> Anything<'_> {
        self
    }

    fn how(&self) -> Apply {
        |same, tx| Box::pin(apply_queued::<C>(same, tx))
    }

    fn refuse(&mut self, error: ChangeError) {
        self.outcome = Err(error);
    }

    fn answer(self: Box<Self>) {
        // Who asked may have gone; the change stands all the same.
        let _ = self.answer.send(self.outcome);
    }
}

async fn apply_queued<C: Change>(same: Vec<Anything<'_>>, tx: &mut Tx) -> Result<(), sqlx::Error> {
    let queued = same
        .into_iter()
        .filter_map(|any| any.downcast_mut::<Queued<C>>());
    let (mut changes, answers): (Vec<_>, Vec<_>) = queued
        .map(|queued| (&mut queued.change, &mut queued.outcome))
        .unzip();
    let outcomes = C::apply_all(&mut changes, tx).await?;
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        *answer = Ok(outcome);
    }
    Ok(())
}
