//! What a database holds, in numbers: what a backup says of itself, and is held against.

use connect_proto::hash::Digest;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::Store;
use crate::error::StoreError;
use crate::row::{optional_bytes, uint};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// The newest event: everything up to it is there, and nothing after it.
    pub last_event_id: u64,
    pub messages: u64,
    pub contacts: u64,
    pub conversations: u64,
    pub events: u64,
    /// Sent and not acknowledged by the relay yet.
    pub queued: u64,
    pub quarantined: u64,
    pub audit_entries: u64,
    /// Of the newest entry; none where there was never one.
    pub audit_head: Option<Digest>,
}

pub async fn count(store: &Store) -> Result<Contents, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events') AS last_event_id,
             (SELECT count(*) FROM messages) AS messages,
             (SELECT count(*) FROM contacts) AS contacts,
             (SELECT count(*) FROM conversations) AS conversations,
             (SELECT count(*) FROM events) AS events,
             (SELECT count(*) FROM outbox) AS queued,
             (SELECT count(*) FROM quarantine) AS quarantined,
             (SELECT count(*) FROM audit) AS audit_entries,
             (SELECT head FROM audit_state) AS audit_head",
    )
    .fetch_one(store.reader())
    .await?;
    read(&row)
}

fn read(row: &SqliteRow) -> Result<Contents, StoreError> {
    debug_assert_eq!(row.len(), 9);
    Ok(Contents {
        last_event_id: uint(row, "last_event_id")?,
        messages: uint(row, "messages")?,
        contacts: uint(row, "contacts")?,
        conversations: uint(row, "conversations")?,
        events: uint(row, "events")?,
        queued: uint(row, "queued")?,
        quarantined: uint(row, "quarantined")?,
        audit_entries: uint(row, "audit_entries")?,
        audit_head: optional_bytes(row, "audit_head")?,
    })
}
