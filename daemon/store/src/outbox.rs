//! What is on its way to the relay, in order within each conversation (D20).

use connect_proto::ids::MessageId;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::codes::StateReason;
use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::place::MessageRow;
use crate::recipients::{Sent, read_sent};
use crate::row::{bytes, int, uint};

/// A row of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OutboxRow(pub(crate) i64);

/// What a row of the outbox is to bring to its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freight {
    Message(MessageRow),
    /// A receipt, an edit, a deletion, a resend request: no message to show.
    Control(i64),
}

/// Something that is due to be sent.
pub struct Queued {
    pub row: OutboxRow,
    pub freight: Freight,
    pub message_id: MessageId,
    pub conversation: ConversationRow,
    /// The encoded envelope, the same at every attempt; none where it has to be sealed first.
    pub envelope: Option<Vec<u8>>,
    /// It is sealed more than once, this time included: the relay may have it in another form.
    pub resealed: bool,
    /// The recipient asked for it again: its state is what it was.
    pub resend: bool,
    pub attempts: u32,
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queued({})", self.message_id)
    }
}

/// The oldest row of each conversation with something queued, found by seeks however much it is; of these only the ones
/// that time alone sets free.
macro_rules! from_heads {
    ($columns:literal, $rest:literal) => {
        concat!(
            "WITH RECURSIVE waiting (conversation) AS (
                 SELECT min(conversation) FROM outbox
                 UNION ALL
                 SELECT (SELECT min(o.conversation) FROM outbox o WHERE o.conversation > waiting.conversation)
                 FROM waiting WHERE waiting.conversation IS NOT NULL),
             heads (id) AS (
                 SELECT (SELECT min(o.id) FROM outbox o WHERE o.conversation = waiting.conversation)
                 FROM waiting WHERE waiting.conversation IS NOT NULL)
             SELECT ",
            $columns,
            " FROM heads JOIN outbox o ON o.id = heads.id
                 LEFT JOIN messages m ON m.id = o.message LEFT JOIN controls c ON c.id = o.control
             WHERE (o.hold IS NULL OR o.hold = 'mailbox_full')",
            $rest
        )
    };
}

/// The oldest row that is due and that nothing of its own conversation stands before. A row that claims to wait for
/// longer than `longest_ms` was written under another clock, and is due.
pub async fn find_due(
    store: &Store,
    now_ms: u64,
    longest_ms: u64,
) -> Result<Option<Queued>, StoreError> {
    let row = sqlx::query(from_heads!(
        "o.*, coalesce(m.message_id, c.message_id) AS message_id",
        " AND (o.due_ms <= ? OR o.due_ms > ?) ORDER BY o.id LIMIT 1"
    ))
    .bind(int(now_ms))
    .bind(int(now_ms.saturating_add(longest_ms)))
    .fetch_optional(store.reader())
    .await?;
    row.as_ref().map(read).transpose()
}

/// When the next row is due that nothing of its own conversation stands before.
pub async fn next_due_ms(store: &Store) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query(from_heads!("o.due_ms", " ORDER BY o.due_ms LIMIT 1"))
        .fetch_optional(store.reader())
        .await?;
    row.map(|row| uint(&row, "due_ms")).transpose()
}

fn read(row: &SqliteRow) -> Result<Queued, StoreError> {
    let message: Option<i64> = row.try_get("message")?;
    let stale: bool = row.try_get("stale")?;
    let envelope: Option<Vec<u8>> = row.try_get("envelope")?;
    let was_resealed: bool = row.try_get("resealed")?;
    let has_envelope = envelope.is_some();
    Ok(Queued {
        row: OutboxRow(row.try_get("id")?),
        freight: match message {
            Some(message) => Freight::Message(MessageRow(message)),
            None => Freight::Control(row.try_get("control")?),
        },
        message_id: MessageId::from_bytes(bytes(row, "message_id")?),
        conversation: ConversationRow(row.try_get("conversation")?),
        envelope: envelope.filter(|_| !stale),
        resealed: was_resealed || (stale && has_envelope),
        resend: row.try_get("resend")?,
        attempts: row.try_get("attempts")?,
    })
}

/// Puts a row off; `hold` where its recipient is told to wait. Returns whether it was held before.
pub async fn postpone(
    tx: &mut Tx,
    row: OutboxRow,
    attempts: u32,
    due_ms: u64,
    hold: Option<StateReason>,
) -> Result<bool, StoreError> {
    let before = sqlx::query("SELECT hold IS NOT NULL AS held FROM outbox WHERE id = ?")
        .bind(row.0)
        .fetch_optional(tx.connection())
        .await?;
    sqlx::query("UPDATE outbox SET attempts = ?, due_ms = ?, hold = ? WHERE id = ?")
        .bind(attempts)
        .bind(int(due_ms))
        .bind(hold.map(StateReason::word))
        .bind(row.0)
        .execute(tx.connection())
        .await?;
    before.map_or(Ok(false), |row| Ok(row.try_get("held")?))
}

/// Gives a row an envelope for the key that its recipient has now.
pub async fn reseal(tx: &mut Tx, row: OutboxRow, envelope: &[u8]) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET resealed = resealed OR envelope IS NOT NULL, envelope = ?, stale = 0 WHERE id = ?",
    )
    .bind(envelope)
    .bind(row.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Sent, or given up: the message itself stays. Returns whether it was held, and None where the row is gone already.
pub async fn remove(tx: &mut Tx, row: OutboxRow) -> Result<Option<bool>, StoreError> {
    let row = sqlx::query("DELETE FROM outbox WHERE id = ? RETURNING hold IS NOT NULL AS held")
        .bind(row.0)
        .fetch_optional(tx.connection())
        .await?;
    row.map(|row| Ok(row.try_get("held")?)).transpose()
}

/// What became of a row that the relay accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    pub was_held: bool,
    /// The newest event that tells of it; none where a receipt had told more already.
    pub event: Option<u64>,
}

/// A message is durable at the relay: out of the outbox, its recipients moved and told of, in one trip to the database's
/// thread. None where the row is gone already.
pub async fn accept(
    tx: &mut Tx,
    row: OutboxRow,
    message: MessageRow,
    now_ms: u64,
) -> Result<Option<Accepted>, StoreError> {
    let rows = sqlx::query(
        "DELETE FROM outbox WHERE id = ? RETURNING hold IS NOT NULL AS held;
         UPDATE recipients SET state = 'sent', reason = NULL, changed_ms = ?
         WHERE message = ? AND state IN ('queued', 'held');
         INSERT INTO events (at_ms, kind, conversation, user_id, message_id, state)
         SELECT r.changed_ms, 'message_state', m.conversation, r.user_id, m.message_id, r.state
         FROM recipients r JOIN messages m ON m.id = r.message
         WHERE r.message = ? AND r.state = 'sent' AND r.changed_ms = ? AND changes() > 0 RETURNING event_id",
    )
    .bind(row.0)
    .bind(int(now_ms))
    .bind(message.0)
    .bind(message.0)
    .bind(int(now_ms))
    .fetch_all(tx.connection())
    .await?;
    let mut was_held = None;
    let mut event = None;
    for row in &rows {
        match row.try_get::<bool, _>("held") {
            Ok(held) => was_held = Some(held),
            Err(_) => event = Some(uint(row, "event_id")?),
        }
    }
    Ok(was_held.map(|was_held| Accepted { was_held, event }))
}

/// Everything queued in a conversation waits for a decision. Returns the messages among it that were not held so.
pub async fn hold_all(
    tx: &mut Tx,
    conversation: ConversationRow,
    reason: StateReason,
) -> Result<Vec<Sent>, StoreError> {
    change_all(
        tx,
        conversation,
        "UPDATE outbox SET hold = ?2, stale = 1 WHERE conversation = ?1 AND hold IS NOT ?2 RETURNING message",
        Some(reason),
    )
    .await
}

/// Everything queued in a conversation goes out, under the key that its recipient has now. Returns the messages among
/// it that were held.
pub async fn release_all(
    tx: &mut Tx,
    conversation: ConversationRow,
) -> Result<Vec<Sent>, StoreError> {
    let held = change_all(
        tx,
        conversation,
        "UPDATE outbox SET hold = NULL, stale = 1, due_ms = 0 WHERE conversation = ?1 AND hold IS NOT NULL
         RETURNING message",
        None,
    )
    .await?;
    sqlx::query("UPDATE outbox SET stale = 1 WHERE conversation = ?")
        .bind(conversation.0)
        .execute(tx.connection())
        .await?;
    Ok(held)
}

async fn change_all(
    tx: &mut Tx,
    conversation: ConversationRow,
    change: &'static str,
    reason: Option<StateReason>,
) -> Result<Vec<Sent>, StoreError> {
    let mut changing = sqlx::query(change).bind(conversation.0);
    if let Some(reason) = reason {
        changing = changing.bind(reason.word());
    }
    let changed = changing.fetch_all(tx.connection()).await?;
    let mut messages = Vec::with_capacity(changed.len());
    for row in &changed {
        let Some(message) = row.try_get::<Option<i64>, _>("message")? else {
            continue;
        };
        let row = sqlx::query(
            "SELECT id, conversation, message_id, sequence, timestamp_ms FROM messages WHERE id = ?",
        )
        .bind(message)
        .fetch_one(tx.connection())
        .await?;
        messages.push(read_sent(&row)?);
    }
    Ok(messages)
}

/// Takes a message out that waits for a decision and has not gone out under any key.
pub async fn withdraw(tx: &mut Tx, message: MessageRow) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "DELETE FROM outbox WHERE message = ? AND NOT resend AND attempts = 0
             AND hold IN ('key_changed', 'key_revoked')",
    )
    .bind(message.0)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What is in the outbox, and how much of it is held.
pub async fn count(tx: &mut Tx) -> Result<(u64, u64), StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS queued, coalesce(sum(hold IS NOT NULL), 0) AS held FROM outbox",
    )
    .fetch_one(tx.connection())
    .await?;
    Ok((uint(&row, "queued")?, uint(&row, "held")?))
}
