//! Entries of cases as they were sent: what whoever joins later reads from the start (D16).

use std::fmt;

use connect_proto::ids::{MessageId, UserId};
use connect_proto::{codec, wire};
use sqlx::Row as _;

use super::CaseRow;
use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{int, uint};

/// An entry to keep.
#[derive(Clone, Copy)]
pub struct NewEntry<'a> {
    pub sender: &'a UserId,
    pub message_id: MessageId,
    /// A control or a field, without which no later one follows on anything.
    pub lasting: bool,
    /// We write it now, and it is still to go out.
    pub ours: bool,
    /// Whom it went to is left out.
    pub sealed: &'a wire::CaseSealed,
    pub stored_ms: u64,
    /// None: after all others.
    pub place: Option<i64>,
}

impl fmt::Debug for NewEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewEntry({})", self.message_id)
    }
}

/// Keeps an entry; one that was sealed anew takes the place of what it was before.
pub async fn put(tx: &mut Tx, case: CaseRow, new: NewEntry<'_>) -> Result<(), StoreError> {
    let sealed = codec::encode(&wire::CaseSealed {
        recipient_ids: Vec::new(),
        ..new.sealed.clone()
    });
    sqlx::query(
        "INSERT INTO case_entries (of_case, sender, message_id, lasting, sealed, stored_ms, place, ours)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (of_case, sender, message_id) DO UPDATE SET sealed = excluded.sealed",
    )
    .bind(case.0)
    .bind(new.sender.as_str())
    .bind(new.message_id.as_bytes().as_slice())
    .bind(new.lasting)
    .bind(sealed)
    .bind(int(new.stored_ms))
    .bind(new.place)
    .bind(new.ours)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The relay took something of ours. Nothing happens where it is not of a case.
pub async fn note_sent(
    tx: &mut Tx,
    conversation: ConversationRow,
    message_id: MessageId,
    now_ms: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE case_entries SET sent_ms = ? WHERE message_id = ? AND ours
             AND of_case = (SELECT id FROM cases WHERE conversation = ?)",
    )
    .bind(int(now_ms))
    .bind(message_id.as_bytes().as_slice())
    .bind(conversation.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Nobody is to read it any more: it never went out.
pub async fn remove(
    tx: &mut Tx,
    conversation: ConversationRow,
    sender: &UserId,
    message_id: MessageId,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM case_entries WHERE of_case = (SELECT id FROM cases WHERE conversation = ?)
             AND sender = ? AND message_id = ?",
    )
    .bind(conversation.0)
    .bind(sender.as_str())
    .bind(message_id.as_bytes().as_slice())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The place before everything that is kept of a case.
pub async fn first_place(tx: &mut Tx, case: CaseRow) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(min(coalesce(place, id)), 0) - 1 AS place FROM case_entries WHERE of_case = ?",
    )
    .bind(case.0)
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get("place")?)
}

/// All of them, in their order.
pub async fn list(store: &Store, case: CaseRow) -> Result<Vec<wire::CaseSealed>, StoreError> {
    let rows = sqlx::query(
        "SELECT sealed FROM case_entries WHERE of_case = ? ORDER BY coalesce(place, id)",
    )
    .bind(case.0)
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| {
            let sealed: &[u8] = row.try_get("sealed")?;
            codec::decode(sealed).map_err(|_| StoreError::Inconsistent("case_entries"))
        })
        .collect()
}

pub async fn count(store: &Store, case: CaseRow) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT count(*) AS entries FROM case_entries WHERE of_case = ?")
        .bind(case.0)
        .fetch_one(store.reader())
        .await?;
    uint(&row, "entries")
}

/// Removes what is no control and no field and was stored before `before_ms`, at most `limit` of them, and tells how many
/// went.
pub async fn expire(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM case_entries WHERE id IN
             (SELECT id FROM case_entries WHERE NOT lasting AND stored_ms < ? ORDER BY stored_ms LIMIT ?)",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}
