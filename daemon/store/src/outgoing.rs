//! A message of ours with all that goes with it: five rows, one trip to the database's thread.

use std::fmt;

use connect_proto::hash::Digest;
use connect_proto::ids::{MessageId, UserId};

use crate::codes::{EventKind, RecipientState};
use crate::database::Tx;
use crate::error::StoreError;
use crate::messages::NewMessage;
use crate::row::int;

/// A message to send: what is stored of it, and what goes to the relay.
#[derive(Clone)]
pub struct Outgoing<'a> {
    pub message: NewMessage<'a>,
    pub recipient: &'a UserId,
    /// The encoded envelope, the same at every attempt (D20).
    pub envelope: &'a [u8],
    /// Whose `client_ref` the message's is, if it has one.
    pub app: &'a str,
    /// Of the content that is sent under the `client_ref`.
    pub digest: &'a Digest,
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({})", self.message.message_id)
    }
}

/// Stores the message, puts it into the outbox and tells of it. Returns the event's id.
///
/// Up to the event, `last_insert_rowid()` is the message: the outbox has the same row id, and the other tables have none.
/// With several statements only a bare `?` is bound in order.
pub async fn add(tx: &mut Tx, new: &Outgoing<'_>) -> Result<u64, StoreError> {
    let message = &new.message;
    let queued = RecipientState::Queued.word();
    let done = sqlx::query(
        "INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms,
             installation_id, sequence, retired_key, text, reply_to, client_ref)
         VALUES (?, ?, ?, TRUE, ?, ?, ?, ?, FALSE, ?, ?, ?);
         INSERT INTO recipients (message, user_id, state, changed_ms) VALUES (last_insert_rowid(), ?, ?, ?);
         INSERT INTO client_refs (app, client_ref, digest, message)
         SELECT ?, column1, ?, last_insert_rowid() FROM (VALUES (?)) WHERE column1 IS NOT NULL;
         INSERT INTO outbox (message, conversation, envelope, attempts, due_ms)
         VALUES (last_insert_rowid(), ?, ?, 0, ?);
         INSERT INTO events (at_ms, kind, conversation, user_id, message_id, state) VALUES (?, ?, ?, ?, ?, ?)",
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
    .bind(message.client_ref)
    // recipients
    .bind(new.recipient.as_str())
    .bind(queued)
    .bind(int(message.stored_ms))
    // client_refs
    .bind(new.app)
    .bind(new.digest.as_slice())
    .bind(message.client_ref)
    // outbox
    .bind(message.conversation.0)
    .bind(new.envelope)
    .bind(int(message.stored_ms))
    // events
    .bind(int(message.stored_ms))
    .bind(EventKind::MessageState.word())
    .bind(message.conversation.0)
    .bind(new.recipient.as_str())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(queued)
    .execute(tx.connection())
    .await?;
    Ok(done.last_insert_rowid().unsigned_abs())
}
