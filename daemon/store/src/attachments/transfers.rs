//! Attachments on their way: which chunks are done, and what became of the whole.

use std::collections::BTreeSet;

use connect_proto::ids::AttachmentId;
use sqlx::Row as _;

use super::{AttachmentRow, Life, Stored, read, select};
use crate::codes::{AttachmentReason, AttachmentState};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::files::FileName;
use crate::row::{bytes, int, uint};

/// Those in a state, the smallest first: a scan does not wait for a film.
pub async fn list(
    store: &Store,
    state: AttachmentState,
    limit: u32,
) -> Result<Vec<Stored>, StoreError> {
    let query = select(" WHERE a.state = ? ORDER BY a.size, a.id LIMIT ?");
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(state.word())
        .bind(limit)
        .fetch_all(store.reader())
        .await?;
    rows.iter().map(read).collect()
}

/// The chunks that are done, from 1.
pub async fn list_chunks(store: &Store, row: AttachmentRow) -> Result<BTreeSet<u32>, StoreError> {
    let rows = sqlx::query("SELECT chunk FROM attachment_chunks WHERE attachment = ?")
        .bind(row.0)
        .fetch_all(store.reader())
        .await?;
    rows.iter().map(|row| Ok(row.try_get("chunk")?)).collect()
}

/// How many chunks are done.
pub async fn count_chunks(store: &Store, row: AttachmentRow) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT count(*) AS chunks FROM attachment_chunks WHERE attachment = ?")
        .bind(row.0)
        .fetch_one(store.reader())
        .await?;
    uint(&row, "chunks")
}

/// A chunk is durable at its end. Returns how many are, or none where the transfer was given up meanwhile.
pub async fn note_chunk(
    tx: &mut Tx,
    life: Life,
    state: AttachmentState,
    chunk: u32,
) -> Result<Option<u64>, StoreError> {
    sqlx::query(
        "INSERT OR IGNORE INTO attachment_chunks (attachment, chunk)
         SELECT id, ? FROM attachments WHERE id = ? AND file = ? AND state = ?",
    )
    .bind(chunk)
    .bind(life.row.0)
    .bind(life.file.0.as_slice())
    .bind(state.word())
    .execute(tx.connection())
    .await?;
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM attachment_chunks WHERE attachment = a.id) AS chunks
         FROM attachments a WHERE a.id = ? AND a.file = ? AND a.state = ?",
    )
    .bind(life.row.0)
    .bind(life.file.0.as_slice())
    .bind(state.word())
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| uint(&row, "chunks")).transpose()
}

/// The relay knows of it, or does not any more: then none of its chunks is there either.
pub async fn set_created(tx: &mut Tx, row: AttachmentRow, created: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE attachments SET created = ? WHERE id = ?")
        .bind(created)
        .bind(row.0)
        .execute(tx.connection())
        .await?;
    if !created {
        forget_chunks(tx, row).await?;
    }
    Ok(())
}

/// Moves it where it is in the state before, and forgets its chunks; false where it is not, or its bytes are others by now.
pub async fn move_on(
    tx: &mut Tx,
    life: Life,
    before: AttachmentState,
    (state, reason): (AttachmentState, Option<AttachmentReason>),
    now_ms: u64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE attachments SET state = ?1, reason = ?2, changed_ms = ?3,
             sent = sent OR (state = 'uploading' AND ?1 = 'ready')
         WHERE id = ?4 AND file = ?5 AND state = ?6",
    )
    .bind(state.word())
    .bind(reason.map(AttachmentReason::word))
    .bind(int(now_ms))
    .bind(life.row.0)
    .bind(life.file.0.as_slice())
    .bind(before.word())
    .execute(tx.connection())
    .await?;
    let moved = done.rows_affected() == 1;
    if moved {
        forget_chunks(tx, life.row).await?;
    }
    Ok(moved)
}

/// Its bytes are fetched, into a file of a new name: one of the old name may be about to be removed. False where its
/// state has changed meanwhile.
pub async fn fetch(
    tx: &mut Tx,
    life: Life,
    before: AttachmentState,
    file: FileName,
    now_ms: u64,
) -> Result<bool, StoreError> {
    let after = (AttachmentState::Downloading, None);
    let moved = move_on(tx, life, before, after, now_ms).await?;
    if moved {
        sqlx::query("UPDATE attachments SET file = ? WHERE id = ?")
            .bind(file.0.as_slice())
            .bind(life.row.0)
            .execute(tx.connection())
            .await?;
    }
    Ok(moved)
}

/// What came of it so far is not to be used. False where it is fetched no more.
pub async fn fetch_anew(tx: &mut Tx, life: Life) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM attachments WHERE id = ? AND file = ? AND state = 'downloading') AS fetched",
    )
    .bind(life.row.0)
    .bind(life.file.0.as_slice())
    .fetch_one(tx.connection())
    .await?;
    let is_fetched = row.try_get("fetched")?;
    if is_fetched {
        forget_chunks(tx, life.row).await?;
    }
    Ok(is_fetched)
}

async fn forget_chunks(tx: &mut Tx, row: AttachmentRow) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM attachment_chunks WHERE attachment = ?")
        .bind(row.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The relay is to forget it; and the copies that we make of it for others, by and by.
pub async fn ask_for_removal(tx: &mut Tx, id: AttachmentId) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT OR IGNORE INTO attachment_removals (attachment_id) VALUES (?1);
         UPDATE case_copies_made SET withdrawn = 1 WHERE attachment_id = ?1",
    )
    .bind(id.to_vec())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Those that the relay is to forget, and where they are here.
pub async fn list_removals(
    store: &Store,
    limit: u32,
) -> Result<Vec<(AttachmentId, Option<AttachmentRow>)>, StoreError> {
    let rows = sqlx::query(
        "SELECT r.attachment_id, a.id FROM attachment_removals r
         LEFT JOIN attachments a ON a.attachment_id = r.attachment_id AND a.outgoing LIMIT ?",
    )
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| {
            let id = AttachmentId::from_bytes(bytes(row, "attachment_id")?);
            let here: Option<i64> = row.try_get("id")?;
            Ok((id, here.map(AttachmentRow)))
        })
        .collect()
}

pub async fn removed(tx: &mut Tx, id: AttachmentId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM attachment_removals WHERE attachment_id = ?")
        .bind(id.to_vec())
        .execute(tx.connection())
        .await?;
    Ok(())
}
