//! A write transaction with its events: whoever listens is woken after the commit, never before (D19).

use std::sync::Arc;

use connect_proto::ids::UserId;
use connect_store::codes::{EventKind, RecipientState, StateReason};
use connect_store::conversations::ConversationRow;
use connect_store::database::Tx;
use connect_store::error::StoreError;
use connect_store::events::{self, NewEvent};
use connect_store::outbox::Freight;
use connect_store::outgoing::{self, Control, Outgoing};
use connect_store::recipients::{self, Recipient, Sent};

use crate::audit;
use crate::unlocked::Unlocked;

/// What follows from a transaction once it is durable.
type Afterwards = Box<dyn FnOnce(&Unlocked) + Send>;

pub struct Journal {
    unlocked: Arc<Unlocked>,
    tx: Tx,
    now_ms: u64,
    last_event: Option<u64>,
    afterwards: Vec<Afterwards>,
    /// In the audit log.
    outcome: &'static str,
}

impl Journal {
    pub async fn begin(unlocked: &Arc<Unlocked>) -> Result<Self, StoreError> {
        Ok(Self {
            tx: unlocked.store.begin().await?,
            now_ms: unlocked.clock.now_ms(),
            unlocked: Arc::clone(unlocked),
            last_event: None,
            afterwards: Vec::new(),
            outcome: audit::DONE,
        })
    }

    pub fn unlocked(&self) -> &Arc<Unlocked> {
        &self.unlocked
    }

    /// Done once the transaction is durable, and never otherwise.
    pub fn afterwards(&mut self, what: impl FnOnce(&Unlocked) + Send + 'static) {
        self.afterwards.push(Box::new(what));
    }

    /// What the call that is being answered comes to, where that is not simply that it was done.
    pub(crate) fn ends_as(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }

    pub fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub async fn append(&mut self, event: &NewEvent<'_>) -> Result<(), StoreError> {
        self.last_event = Some(events::append(&mut self.tx, event).await?);
        Ok(())
    }

    /// An event that was appended with what caused it.
    pub fn note_event(&mut self, event_id: u64) {
        self.last_event = self.last_event.max(Some(event_id));
    }

    /// Stores a message of ours, queues it and tells of it.
    pub async fn queue(&mut self, message: &Outgoing<'_>) -> Result<(), StoreError> {
        self.last_event = Some(outgoing::add(&mut self.tx, message).await?);
        self.count_queued(message.recipients.count_rows());
        Ok(())
    }

    /// Stores and queues what is no message to show.
    pub async fn queue_control(&mut self, control: &Control<'_>) -> Result<(), StoreError> {
        outgoing::add_control(&mut self.tx, control).await?;
        self.count_queued(control.recipients.count_rows());
        Ok(())
    }

    /// Queues something of ours once more: for the user whom the conversation is with, or for a member of its roster.
    pub async fn queue_again(
        &mut self,
        conversation: ConversationRow,
        member: Option<&UserId>,
        freight: Freight,
        hold: Option<StateReason>,
    ) -> Result<(), StoreError> {
        if outgoing::add_again(&mut self.tx, conversation, member, freight, hold).await? {
            self.count_queued((1, hold.is_some().into()));
        }
        Ok(())
    }

    fn count_queued(&mut self, (queued, held): (u64, u64)) {
        self.afterwards(move |unlocked| {
            unlocked.counters.add_queued(queued, held);
            unlocked.outbox_wake.notify_one();
        });
    }

    /// An event that carries nothing but its kind.
    pub async fn note(&mut self, kind: EventKind) -> Result<(), StoreError> {
        self.append(&NewEvent::of(kind, self.now_ms)).await
    }

    /// Moves a recipient where a way leads there from its present state, and tells of it; leaves it otherwise.
    pub async fn move_recipient(
        &mut self,
        sent: &Sent,
        user_id: &UserId,
        state: RecipientState,
        reason: Option<StateReason>,
    ) -> Result<(), StoreError> {
        let recipient = Recipient {
            user_id: user_id.clone(),
            state,
            reason,
            changed_ms: self.now_ms,
        };
        if !recipients::advance(&mut self.tx, sent.row, &recipient).await? {
            return Ok(());
        }
        self.append(&NewEvent {
            conversation: Some(sent.conversation),
            user_id: Some(user_id.as_str()),
            message_id: Some(sent.message_id),
            state: Some(state),
            reason: reason.map(StateReason::word),
            ..NewEvent::of(EventKind::MessageState, self.now_ms)
        })
        .await
    }

    /// Durable once this returns; then the subscribers are woken.
    ///
    /// A caller that leaves meanwhile leaves a task behind, which a lock waits for: what is durable is also told.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if let Some(act) = audit::enter(&mut self.tx, &self.unlocked, self.outcome).await? {
            self.afterwards(move |_| audit::mark(&act));
        }
        let loops = self.unlocked.loops.clone();
        let committed = loops.spawn(self.commit_here()).await;
        committed.map_err(|_| StoreError::Failed(None))?
    }

    async fn commit_here(self) -> Result<(), StoreError> {
        self.tx.commit().await?;
        for what in self.afterwards {
            what(&self.unlocked);
        }
        if let Some(event) = self.last_event {
            self.unlocked.announce(event);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Journal(..)")
    }
}
