//! The event log: rows with a strictly rising id, written in the transaction that caused them.

use connect_proto::ids::{AttachmentId, MessageId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite};

use crate::codes::{ConversationKind, EventKind, GroupChange, RecipientState, StateReason};
use crate::conversations::{self, Conversation, ConversationRow};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{int, optional_bytes, optional_text, optional_uint, text, uint};

/// An event to append; what does not belong to its kind is left out.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    pub kind: EventKind,
    pub at_ms: u64,
    pub conversation: Option<ConversationRow>,
    /// A user id, or what an envelope claimed to be one.
    pub user_id: Option<&'a str>,
    pub message_id: Option<MessageId>,
    pub state: Option<RecipientState>,
    /// A `StateReason`'s word, or the name of a refusal.
    pub reason: Option<&'static str>,
    /// The range that it tells of.
    pub range: Option<(u64, u64)>,
    pub attachment_id: Option<AttachmentId>,
    /// Of the field that it tells of.
    pub name: Option<&'a str>,
}

impl NewEvent<'_> {
    pub const fn of(kind: EventKind, at_ms: u64) -> Self {
        Self {
            kind,
            at_ms,
            conversation: None,
            user_id: None,
            message_id: None,
            state: None,
            reason: None,
            range: None,
            attachment_id: None,
            name: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub event_id: u64,
    pub at_ms: u64,
    pub kind: EventKind,
    pub conversation: Option<Conversation>,
    pub user_id: Option<String>,
    pub message_id: Option<MessageId>,
    pub state: Option<RecipientState>,
    pub reason: Option<String>,
    pub range: Option<(u64, u64)>,
    pub attachment_id: Option<AttachmentId>,
    pub name: Option<String>,
}

impl Event {
    pub fn state_reason(&self) -> Option<StateReason> {
        self.reason
            .as_deref()
            .and_then(|word| StateReason::read(word).ok())
    }

    pub fn group_change(&self) -> Option<GroupChange> {
        let word = self.reason.as_deref()?;
        GroupChange::read(word).ok()
    }
}

/// Returns the event's id.
pub async fn append(tx: &mut Tx, event: &NewEvent<'_>) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "INSERT INTO events (at_ms, kind, conversation, user_id, message_id, state, reason, first, last,
             attachment_id, name)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(int(event.at_ms))
    .bind(event.kind.word())
    .bind(event.conversation.map(|row| row.0))
    .bind(event.user_id)
    .bind(event.message_id.map(MessageId::to_vec))
    .bind(event.state.map(RecipientState::word))
    .bind(event.reason)
    .bind(event.range.map(|(first, _)| int(first)))
    .bind(event.range.map(|(_, last)| int(last)))
    .bind(event.attachment_id.map(AttachmentId::to_vec))
    .bind(event.name)
    .execute(tx.connection())
    .await?;
    Ok(done.last_insert_rowid().unsigned_abs())
}

/// Those after `after`, oldest first.
pub async fn list(store: &Store, after: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
    let rows = sqlx::query(
        "SELECT e.event_id, e.at_ms, e.kind AS event_kind, e.user_id, e.message_id, e.state, e.reason, e.first, e.last,
             e.attachment_id, e.name, c.kind, c.peer
         FROM events e LEFT JOIN conversations c ON c.id = e.conversation
         WHERE e.event_id > ? ORDER BY e.event_id LIMIT ?",
    )
    .bind(int(after))
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    rows.iter().map(read).collect()
}

/// As `list`, of these kinds alone.
pub async fn list_of(
    store: &Store,
    kinds: &[EventKind],
    after: u64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT e.event_id, e.at_ms, e.kind AS event_kind, e.user_id, e.message_id, e.state, e.reason, e.first, e.last,
             e.attachment_id, e.name, c.kind, c.peer
         FROM events e LEFT JOIN conversations c ON c.id = e.conversation WHERE e.event_id > ",
    );
    query.push_bind(int(after)).push(" AND e.kind IN (");
    let mut words = query.separated(", ");
    for kind in kinds {
        words.push_bind(kind.word());
    }
    query.push(") ORDER BY e.event_id LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(store.reader()).await?;
    rows.iter().map(read).collect()
}

/// The id of the newest event; 0 where there was none.
pub async fn last_id(store: &Store) -> Result<u64, StoreError> {
    // Not max(event_id): ids go on rising after the newest row has expired.
    let row = sqlx::query("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
        .fetch_optional(store.reader())
        .await?;
    row.map_or(Ok(0), |row| uint(&row, "seq"))
}

/// The id of the oldest event that is still kept.
pub async fn first_id(store: &Store) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query("SELECT event_id FROM events ORDER BY event_id LIMIT 1")
        .fetch_optional(store.reader())
        .await?;
    row.map(|row| uint(&row, "event_id")).transpose()
}

/// Removes the oldest events as far as they are from before `before_ms`, at most `limit` of them, and tells how many
/// went. A prefix of the log goes, whatever the clock did meanwhile: no hole opens in the middle.
pub async fn expire(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "WITH oldest AS (SELECT event_id, at_ms FROM events ORDER BY event_id LIMIT ?2)
         DELETE FROM events WHERE event_id < coalesce(
             (SELECT min(event_id) FROM oldest WHERE at_ms >= ?1),
             (SELECT max(event_id) + 1 FROM oldest))",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

fn read(row: &SqliteRow) -> Result<Event, StoreError> {
    let kind: Option<ConversationKind> = optional_text(row, "kind")?
        .map(ConversationKind::read)
        .transpose()?;
    Ok(Event {
        event_id: uint(row, "event_id")?,
        at_ms: uint(row, "at_ms")?,
        kind: EventKind::read(text(row, "event_kind")?)?,
        conversation: kind.map(|_| conversations::read(row)).transpose()?,
        user_id: optional_text(row, "user_id")?.map(str::to_owned),
        message_id: optional_bytes(row, "message_id")?.map(MessageId::from_bytes),
        state: optional_text(row, "state")?
            .map(RecipientState::read)
            .transpose()?,
        reason: optional_text(row, "reason")?.map(str::to_owned),
        range: optional_uint(row, "first")?.zip(optional_uint(row, "last")?),
        attachment_id: optional_bytes(row, "attachment_id")?.map(AttachmentId::from_bytes),
        name: optional_text(row, "name")?.map(str::to_owned),
    })
}
