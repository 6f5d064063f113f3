//! What of ours goes out, with all that goes with it: several rows, one trip to the database's thread.

use std::fmt;

use connect_proto::hash::Digest;
use connect_proto::ids::{MessageId, UserId};
use sqlx::Row as _;

use crate::codes::{EventKind, RecipientState, StateReason};
use crate::conversations::ConversationRow;
use crate::database::Tx;
use crate::error::StoreError;
use crate::new::NewMessage;
use crate::outbox::Freight;
use crate::place::MessageRow;
use crate::row::int;

/// A message to send: what is stored of it, and what goes to the relay.
#[derive(Clone)]
pub struct Outgoing<'a> {
    pub message: NewMessage<'a>,
    pub recipient: &'a UserId,
    /// The encoded envelope, or why there is none yet.
    pub envelope: Result<&'a [u8], StateReason>,
    /// Whose `client_ref` the message's is.
    pub app: &'a str,
    pub client_ref: Option<&'a str>,
    /// Of the content that is sent under the `client_ref`.
    pub digest: &'a Digest,
}

/// What is sent without being a message to show: as it is kept, and as it goes to the relay.
#[derive(Debug, Clone, Copy)]
pub struct Control<'a> {
    pub conversation: ConversationRow,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    pub sequence: u64,
    pub payload: &'a [u8],
    pub envelope: Result<&'a [u8], StateReason>,
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({})", self.message.message_id)
    }
}

/// Stores the message, puts it into the outbox and tells of it. Returns the event's id.
///
/// Up to the outbox, `last_insert_rowid()` is the message: the tables in between have no row ids. With several statements
/// only a bare `?` is bound in order.
pub async fn add(tx: &mut Tx, new: &Outgoing<'_>) -> Result<u64, StoreError> {
    let message = &new.message;
    let hold = new.envelope.err();
    let state = match hold {
        None => RecipientState::Queued,
        Some(_) => RecipientState::Held,
    };
    let done = sqlx::query(
        "INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms,
             installation_id, sequence, retired_key, text, reply_to, client_ref)
         VALUES (?, ?, ?, TRUE, ?, ?, ?, ?, FALSE, ?, ?, ?);
         INSERT INTO recipients (message, user_id, state, reason, changed_ms)
         VALUES (last_insert_rowid(), ?, ?, ?, ?);
         INSERT INTO client_refs (app, client_ref, digest, message)
         SELECT ?, column1, ?, last_insert_rowid() FROM (VALUES (?)) WHERE column1 IS NOT NULL;
         INSERT INTO outbox (message, conversation, envelope, stale, hold)
         VALUES (last_insert_rowid(), ?, ?, ?, ?);
         INSERT INTO events (at_ms, kind, conversation, user_id, message_id, state, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    // messages
    .bind(message.conversation.0)
    .bind(message.sender.as_str())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(int(message.timestamp_ms))
    .bind(int(message.stored_ms))
    .bind(message.installation_id.as_bytes().as_slice())
    .bind(int(message.sequence))
    .bind(message.text)
    .bind(message.reply_to.map(MessageId::to_vec))
    .bind(new.client_ref)
    // recipients
    .bind(new.recipient.as_str())
    .bind(state.word())
    .bind(hold.map(StateReason::word))
    .bind(int(message.stored_ms))
    // client_refs
    .bind(new.app)
    .bind(new.digest.as_slice())
    .bind(new.client_ref)
    // outbox
    .bind(message.conversation.0)
    .bind(new.envelope.ok())
    .bind(hold.is_some())
    .bind(hold.map(StateReason::word))
    // events
    .bind(int(message.stored_ms))
    .bind(EventKind::MessageState.word())
    .bind(message.conversation.0)
    .bind(new.recipient.as_str())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(state.word())
    .bind(hold.map(StateReason::word))
    .execute(tx.connection())
    .await?;
    Ok(done.last_insert_rowid().unsigned_abs())
}

/// Stores and queues what is no message to show.
pub async fn add_control(tx: &mut Tx, new: &Control<'_>) -> Result<(), StoreError> {
    let hold = new.envelope.err();
    sqlx::query(
        "INSERT INTO controls (conversation, message_id, timestamp_ms, sequence, payload) VALUES (?, ?, ?, ?, ?);
         INSERT INTO outbox (control, conversation, envelope, stale, hold)
         VALUES (last_insert_rowid(), ?, ?, ?, ?)",
    )
    .bind(new.conversation.0)
    .bind(new.message_id.as_bytes().as_slice())
    .bind(int(new.timestamp_ms))
    .bind(int(new.sequence))
    .bind(new.payload)
    .bind(new.conversation.0)
    .bind(new.envelope.ok())
    .bind(hold.is_some())
    .bind(hold.map(StateReason::word))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Queues something once more, to be sealed when its turn comes. False where it is queued already.
pub async fn add_again(
    tx: &mut Tx,
    conversation: ConversationRow,
    freight: Freight,
    hold: Option<StateReason>,
) -> Result<bool, StoreError> {
    let (message, control) = match freight {
        Freight::Message(row) => (Some(row.0), None),
        Freight::Control(id) => (None, Some(id)),
    };
    let done = sqlx::query(
        "INSERT INTO outbox (message, control, conversation, stale, resend, hold) VALUES (?, ?, ?, 1, 1, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(message)
    .bind(control)
    .bind(conversation.0)
    .bind(hold.map(StateReason::word))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The number of something of ours in its conversation, message or not.
pub async fn find_sequence(
    tx: &mut Tx,
    conversation: ConversationRow,
    author: &UserId,
    message_id: MessageId,
) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query(
        "SELECT sequence FROM messages WHERE message_id = ?1 AND sender = ?2 AND conversation = ?3 AND outgoing
         UNION ALL SELECT sequence FROM controls WHERE message_id = ?1 AND conversation = ?3",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(author.as_str())
    .bind(conversation.0)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| crate::row::uint(&row, "sequence"))
        .transpose()
}

/// What of ours has these numbers in a conversation, in their order.
pub async fn list_range(
    tx: &mut Tx,
    conversation: ConversationRow,
    first: u64,
    last: u64,
    limit: u32,
) -> Result<Vec<Freight>, StoreError> {
    let rows = sqlx::query(
        "SELECT id AS message, NULL AS control, sequence FROM messages
         WHERE conversation = ?1 AND sequence BETWEEN ?2 AND ?3 AND outgoing
         UNION ALL
         SELECT NULL, id, sequence FROM controls WHERE conversation = ?1 AND sequence BETWEEN ?2 AND ?3
         ORDER BY sequence LIMIT ?4",
    )
    .bind(conversation.0)
    .bind(int(first))
    .bind(int(last))
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    rows.iter()
        .map(|row| {
            let message: Option<i64> = row.try_get("message")?;
            Ok(match message {
                Some(message) => Freight::Message(MessageRow(message)),
                None => Freight::Control(row.try_get("control")?),
            })
        })
        .collect()
}

/// Removes the oldest controls as far as they are from before `before_ms` and in no outbox, at most `limit` of them.
pub async fn forget_controls(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM controls WHERE id IN (
             SELECT id FROM (
                 SELECT id, timestamp_ms FROM controls c
                 WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.control = c.id) ORDER BY id LIMIT ?2)
             WHERE timestamp_ms < ?1)",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}
