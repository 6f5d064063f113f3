//! What is on its way to the relay, in order within each conversation (D20).

use std::collections::BTreeMap;

use connect_proto::ids::{MessageId, UserId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::codes::StateReason;
use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::lanes::{self, Lane};
use crate::place::MessageRow;
use crate::recipients::{Sent, read_sent};
use crate::row::{bytes, int, optional_text, text, uint};

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

impl Freight {
    /// As it stands in the columns `message` and `control`.
    pub(crate) fn columns(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Message(row) => (Some(row.0), None),
            Self::Control(id) => (None, Some(id)),
        }
    }
}

/// Something that is due to be sent.
pub struct Queued {
    pub row: OutboxRow,
    pub freight: Freight,
    pub message_id: MessageId,
    pub conversation: ConversationRow,
    pub lane: Lane,
    /// None where the conversation is with one user, who gets it.
    pub recipients: Option<Vec<UserId>>,
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

/// The oldest row of each lane with something queued, found by seeks however much it is; of these only the ones
/// that time alone sets free. An attachment is at the relay before the message that names it (D143).
macro_rules! from_heads {
    ($columns:literal, $rest:literal) => {
        concat!(
            "WITH RECURSIVE waiting (lane) AS (
                 SELECT min(lane) FROM outbox
                 UNION ALL
                 SELECT (SELECT min(o.lane) FROM outbox o WHERE o.lane > waiting.lane)
                 FROM waiting WHERE waiting.lane IS NOT NULL),
             heads (id) AS (
                 SELECT (SELECT min(o.id) FROM outbox o WHERE o.lane = waiting.lane)
                 FROM waiting WHERE waiting.lane IS NOT NULL)
             SELECT ",
            $columns,
            " FROM heads JOIN outbox o ON o.id = heads.id
                 LEFT JOIN messages m ON m.id = o.message LEFT JOIN controls c ON c.id = o.control
             WHERE (o.hold IS NULL OR o.hold = 'mailbox_full')
                 AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.message = o.message AND a.state = 'uploading')",
            $rest
        )
    };
}

/// The oldest row that is due and that nothing of its own lane stands before. A row that claims to wait for
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

/// A row as it is within the transaction; none where it has gone.
pub async fn find_in(tx: &mut Tx, row: OutboxRow) -> Result<Option<Queued>, StoreError> {
    let row = sqlx::query(
        "SELECT o.*, coalesce(m.message_id, c.message_id) AS message_id FROM outbox o
             LEFT JOIN messages m ON m.id = o.message LEFT JOIN controls c ON c.id = o.control
         WHERE o.id = ?",
    )
    .bind(row.0)
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(read).transpose()
}

/// When the next row is due that nothing of its own lane stands before.
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
        lane: Lane(row.try_get("lane")?),
        recipients: optional_text(row, "recipients")?
            .map(read_recipients)
            .transpose()?,
        envelope: envelope.filter(|_| !stale),
        resealed: was_resealed || (stale && has_envelope),
        resend: row.try_get("resend")?,
        attempts: row.try_get("attempts")?,
    })
}

fn read_recipients(json: &str) -> Result<Vec<UserId>, StoreError> {
    let inconsistent = || StoreError::Inconsistent("recipients");
    let named: Vec<String> = serde_json::from_str(json).map_err(|_| inconsistent())?;
    named
        .iter()
        .map(|name| name.parse().map_err(|_| inconsistent()))
        .collect()
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

/// A message is given up before it went out. Returns of each of its rows whether it was held.
pub async fn remove_message(tx: &mut Tx, message: MessageRow) -> Result<Vec<bool>, StoreError> {
    let rows =
        sqlx::query("DELETE FROM outbox WHERE message = ? RETURNING hold IS NOT NULL AS held")
            .bind(message.0)
            .fetch_all(tx.connection())
            .await?;
    rows.iter().map(|row| Ok(row.try_get("held")?)).collect()
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
    queued: &Queued,
    message: MessageRow,
    now_ms: u64,
) -> Result<Option<Accepted>, StoreError> {
    let recipients = queued.recipients.as_deref();
    let recipients = recipients.map(|users| lanes::json(users.iter()));
    let rows = sqlx::query(
        "DELETE FROM outbox WHERE id = ? RETURNING hold IS NOT NULL AS held;
         UPDATE recipients SET state = 'sent', reason = NULL, changed_ms = ?
         WHERE message = ? AND state IN ('queued', 'held')
             AND (? IS NULL OR user_id IN (SELECT value FROM json_each(?)));
         INSERT INTO events (at_ms, kind, conversation, user_id, message_id, state)
         SELECT r.changed_ms, 'message_state', m.conversation, r.user_id, m.message_id, r.state
         FROM recipients r JOIN messages m ON m.id = r.message
         WHERE r.message = ? AND r.state = 'sent' AND r.changed_ms = ? AND changes() > 0
             AND (? IS NULL OR r.user_id IN (SELECT value FROM json_each(?))) RETURNING event_id",
    )
    .bind(queued.row.0)
    .bind(int(now_ms))
    .bind(message.0)
    .bind(&recipients)
    .bind(&recipients)
    .bind(message.0)
    .bind(int(now_ms))
    .bind(&recipients)
    .bind(&recipients)
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

/// Everything queued in a lane waits for a decision. Returns the messages among it that were not held so.
pub async fn hold_all(
    tx: &mut Tx,
    lane: Lane,
    reason: StateReason,
) -> Result<Vec<Sent>, StoreError> {
    change_all(
        tx,
        lane,
        "UPDATE outbox SET hold = ?2, stale = 1 WHERE lane = ?1 AND hold IS NOT ?2 RETURNING message",
        Some(reason),
    )
    .await
}

/// Everything queued in a lane goes out, under the key that its recipient has now. Returns the messages among
/// it that were held.
pub async fn release_all(tx: &mut Tx, lane: Lane) -> Result<Vec<Sent>, StoreError> {
    let held = change_all(
        tx,
        lane,
        "UPDATE outbox SET hold = NULL, stale = 1, due_ms = 0 WHERE lane = ?1 AND hold IS NOT NULL
         RETURNING message",
        None,
    )
    .await?;
    sqlx::query("UPDATE outbox SET stale = 1 WHERE lane = ?")
        .bind(lane.0)
        .execute(tx.connection())
        .await?;
    Ok(held)
}

/// Everything queued in a lane is given up. Returns the messages among it that nobody had asked for again.
pub async fn remove_all(tx: &mut Tx, lane: Lane) -> Result<Vec<Sent>, StoreError> {
    change_all(
        tx,
        lane,
        "DELETE FROM outbox WHERE lane = ?1 RETURNING CASE WHEN resend THEN NULL ELSE message END AS message",
        None,
    )
    .await
}

/// How much waits for a decision about the key of each user for whom anything does.
pub async fn count_held(store: &Store) -> Result<BTreeMap<String, u64>, StoreError> {
    let rows = sqlx::query(
        "SELECT coalesce(l.user_id, c.peer) AS user_id, count(*) AS held
         FROM outbox o JOIN conversations c ON c.id = o.conversation LEFT JOIN lanes l ON l.id = -o.lane
         WHERE (c.kind = 'user' OR l.id IS NOT NULL) AND o.hold IN ('key_changed', 'key_rejected') GROUP BY 1",
    )
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| Ok((text(row, "user_id")?.to_owned(), uint(row, "held")?)))
        .collect()
}

/// How much of a lane is held.
pub async fn count_held_in(tx: &mut Tx, lane: Lane) -> Result<u64, StoreError> {
    let row =
        sqlx::query("SELECT count(*) AS held FROM outbox WHERE lane = ? AND hold IS NOT NULL")
            .bind(lane.0)
            .fetch_one(tx.connection())
            .await?;
    uint(&row, "held")
}

async fn change_all(
    tx: &mut Tx,
    lane: Lane,
    change: &'static str,
    reason: Option<StateReason>,
) -> Result<Vec<Sent>, StoreError> {
    let mut changing = sqlx::query(change).bind(lane.0);
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

/// What is queued goes out under another key of ours: all of it is sealed anew.
pub async fn reseal_all(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query("UPDATE outbox SET stale = 1")
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// What is queued in a conversation goes out under another key that it has in common: all of it is sealed anew.
pub async fn reseal_of(tx: &mut Tx, conversation: ConversationRow) -> Result<(), StoreError> {
    sqlx::query("UPDATE outbox SET stale = 1 WHERE conversation = ?")
        .bind(conversation.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Takes a message out that waits for a decision and cannot have gone out under any key: none was it ever sealed for, and
/// no earlier installation may have sent it. One that was sealed may have arrived, though its answer was lost. Returns how
/// many rows that were; none where any recipient may have it.
pub async fn withdraw(tx: &mut Tx, message: MessageRow) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM outbox WHERE message = ?1
             AND NOT EXISTS (SELECT 1 FROM recipients r WHERE r.message = ?1 AND r.state <> 'held')
             AND NOT EXISTS (
                 SELECT 1 FROM outbox o WHERE o.message = ?1 AND (
                     o.resend OR o.attempts > 0 OR o.envelope IS NOT NULL OR o.resealed OR o.hold IS NULL
                     OR o.hold NOT IN ('key_changed', 'key_revoked', 'key_rejected')))",
    )
    .bind(message.0)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
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
