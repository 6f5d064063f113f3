//! A write transaction with its events: whoever listens is woken after the commit, never before (D19).

use connect_proto::ids::{MessageId, UserId};
use connect_store::codes::{EventKind, RecipientState, StateReason};
use connect_store::conversations::ConversationRow;
use connect_store::database::Tx;
use connect_store::error::StoreError;
use connect_store::events::{self, NewEvent};
use connect_store::messages::{self, MessageRow, Recipient};
use connect_store::outgoing::{self, Outgoing};

use crate::unlocked::Unlocked;

#[derive(Debug)]
pub struct Journal<'u> {
    unlocked: &'u Unlocked,
    tx: Tx,
    now_ms: u64,
    last_event: Option<u64>,
}

impl<'u> Journal<'u> {
    pub async fn begin(unlocked: &'u Unlocked) -> Result<Self, StoreError> {
        Ok(Self {
            tx: unlocked.store.begin().await?,
            now_ms: unlocked.clock.now_ms(),
            unlocked,
            last_event: None,
        })
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

    /// Stores a message of ours, queues it and tells of it.
    pub async fn queue(&mut self, message: &Outgoing<'_>) -> Result<(), StoreError> {
        self.last_event = Some(outgoing::add(&mut self.tx, message).await?);
        Ok(())
    }

    /// An event that carries nothing but its kind.
    pub async fn note(&mut self, kind: EventKind) -> Result<(), StoreError> {
        self.append(&NewEvent::of(kind, self.now_ms)).await
    }

    /// Sets a recipient's state and tells of it.
    pub async fn move_recipient(
        &mut self,
        conversation: ConversationRow,
        message: (MessageRow, MessageId),
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
        messages::set_recipient(&mut self.tx, message.0, &recipient).await?;
        self.append(&NewEvent {
            conversation: Some(conversation),
            user_id: Some(user_id.as_str()),
            message_id: Some(message.1),
            state: Some(state),
            reason: reason.map(StateReason::word),
            ..NewEvent::of(EventKind::MessageState, self.now_ms)
        })
        .await
    }

    /// Durable once this returns; then the subscribers are woken.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await?;
        if let Some(event) = self.last_event {
            self.unlocked.announce(event);
        }
        Ok(())
    }
}
