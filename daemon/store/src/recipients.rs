//! To whom a message of ours went, or is to go, and how far it has come (D20).

use connect_proto::ids::{MessageId, UserId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use crate::codes::{RecipientState, StateReason};
use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::place::MessageRow;
use crate::row::{bytes, int, optional_text, parsed, text, uint};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub user_id: UserId,
    pub state: RecipientState,
    pub reason: Option<StateReason>,
    pub changed_ms: u64,
}

/// A message of ours, as what happens to it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub row: MessageRow,
    pub conversation: ConversationRow,
    pub message_id: MessageId,
    pub sequence: u64,
    pub timestamp_ms: u64,
}

/// Every way from one state into another. A receipt may come before the relay's own answer; what was given up and arrived all
/// the same has arrived; nothing else goes back.
pub const TRANSITIONS: [(RecipientState, RecipientState); 16] = {
    use RecipientState::{Delivered, Failed, Held, Queued, Read, Sent};
    [
        (Queued, Held),
        (Queued, Sent),
        (Queued, Delivered),
        (Queued, Read),
        (Queued, Failed),
        (Held, Queued),
        (Held, Sent),
        (Held, Delivered),
        (Held, Read),
        (Held, Failed),
        (Sent, Delivered),
        (Sent, Read),
        (Sent, Failed),
        (Delivered, Read),
        (Failed, Delivered),
        (Failed, Read),
    ]
};

/// Moves a recipient where `TRANSITIONS` has the way, or gives what is held another reason. Returns whether it did.
pub async fn advance(
    tx: &mut Tx,
    message: MessageRow,
    recipient: &Recipient,
) -> Result<bool, StoreError> {
    let from: Vec<&str> = TRANSITIONS
        .iter()
        .filter(|(_, to)| *to == recipient.state)
        .map(|(from, _)| from.word())
        .collect();
    let moved = sqlx::query(
        "UPDATE recipients SET state = ?1, reason = ?2, changed_ms = ?3 WHERE message = ?4 AND user_id = ?5
         AND (state IN (SELECT value FROM json_each(?6)) OR (state = 'held' AND ?1 = 'held' AND reason IS NOT ?2))",
    )
    .bind(recipient.state.word())
    .bind(recipient.reason.map(StateReason::word))
    .bind(int(recipient.changed_ms))
    .bind(message.0)
    .bind(recipient.user_id.as_str())
    .bind(format!("{from:?}"))
    .execute(tx.connection())
    .await?;
    Ok(moved.rows_affected() > 0)
}

pub async fn list(tx: &mut Tx, message: MessageRow) -> Result<Vec<Recipient>, StoreError> {
    let rows = sqlx::query("SELECT * FROM recipients WHERE message = ? ORDER BY user_id")
        .bind(message.0)
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(read).collect()
}

/// The recipients of several messages, by message and user.
pub(crate) async fn list_of_all(
    store: &Store,
    messages: &[i64],
) -> Result<Vec<(i64, Recipient)>, StoreError> {
    list_of_all_with(store.reader(), messages).await
}

pub(crate) async fn list_of_all_with(
    executor: impl SqliteExecutor<'_>,
    messages: &[i64],
) -> Result<Vec<(i64, Recipient)>, StoreError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let list = format!("{messages:?}");
    let rows = sqlx::query(
        "SELECT r.* FROM json_each(?) AS j JOIN recipients r ON r.message = j.value ORDER BY r.message, r.user_id",
    )
    .bind(list)
    .fetch_all(executor)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("message")?, read(row)?)))
        .collect()
}

/// One of our own messages, by the id that it was sent under.
pub async fn find_sent(
    tx: &mut Tx,
    author: &UserId,
    message_id: MessageId,
) -> Result<Option<Sent>, StoreError> {
    let row = sqlx::query(
        "SELECT id, conversation, message_id, sequence, timestamp_ms FROM messages
         WHERE message_id = ? AND sender = ? AND outgoing",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(author.as_str())
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(read_sent).transpose()
}

/// One of our own messages, by its row.
pub async fn find_sent_row(tx: &mut Tx, message: MessageRow) -> Result<Option<Sent>, StoreError> {
    let row = sqlx::query(
        "SELECT id, conversation, message_id, sequence, timestamp_ms FROM messages WHERE id = ?",
    )
    .bind(message.0)
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(read_sent).transpose()
}

pub(crate) fn read_sent(row: &SqliteRow) -> Result<Sent, StoreError> {
    Ok(Sent {
        row: MessageRow(row.try_get("id")?),
        conversation: ConversationRow(row.try_get("conversation")?),
        message_id: MessageId::from_bytes(bytes(row, "message_id")?),
        sequence: uint(row, "sequence")?,
        timestamp_ms: uint(row, "timestamp_ms")?,
    })
}

fn read(row: &SqliteRow) -> Result<Recipient, StoreError> {
    Ok(Recipient {
        user_id: parsed(row, "user_id")?,
        state: RecipientState::read(text(row, "state")?)?,
        reason: optional_text(row, "reason")?
            .map(StateReason::read)
            .transpose()?,
        changed_ms: uint(row, "changed_ms")?,
    })
}
