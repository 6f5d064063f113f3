//! Copies of attachments that we bring to the relay for whoever joins a case late: for whom they are due, and which there are (D16).

use connect_proto::ids::{AttachmentId, CaseId, UserId};
use sqlx::Row as _;

use super::CaseRow;
use crate::attachments::{self, Life};
use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, parsed, uint};

/// Somebody who is still to get copies of what was sent before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub case: CaseRow,
    pub case_id: CaseId,
    pub conversation: ConversationRow,
    pub user_id: UserId,
    /// How often it was asked for.
    asked: i64,
    /// What came later was sent to them as well.
    up_to: i64,
}

/// A file that could be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Here {
    pub life: Life,
    /// Plaintext bytes.
    pub size: u64,
}

/// A copy for somebody, by the id under which it lies at the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    pub id: AttachmentId,
    /// All of it is at the relay.
    pub is_there: bool,
    /// Of its chunks, so many from the first on.
    pub chunks: u32,
}

/// Whoever is added anew may have lost what was told before.
pub async fn add_due(tx: &mut Tx, case: CaseRow, user_id: &UserId) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO case_copies_due (of_case, user_id, up_to)
             VALUES (?1, ?2, (SELECT coalesce(max(id), 0) FROM attachments))
             ON CONFLICT DO UPDATE SET asked = asked + 1, up_to = excluded.up_to;
         UPDATE case_copies_made SET told = 0 WHERE of_case = ?1 AND user_id = ?2",
    )
    .bind(case.0)
    .bind(user_id.as_str())
    .execute(tx.connection())
    .await?;
    Ok(())
}

pub async fn list_due(store: &Store) -> Result<Vec<Due>, StoreError> {
    let rows = sqlx::query(
        "SELECT d.*, c.case_id, c.conversation FROM case_copies_due d JOIN cases c ON c.id = d.of_case
         ORDER BY d.of_case, d.user_id",
    )
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Due {
                case: CaseRow(row.try_get("of_case")?),
                case_id: CaseId::from_bytes(bytes(row, "case_id")?),
                conversation: ConversationRow(row.try_get("conversation")?),
                user_id: parsed(row, "user_id")?,
                asked: row.try_get("asked")?,
                up_to: row.try_get("up_to")?,
            })
        })
        .collect()
}

/// What is not there as a whole by now is not going to be. False where it was asked for once more meanwhile.
pub async fn settle(tx: &mut Tx, due: &Due) -> Result<bool, StoreError> {
    let done =
        sqlx::query("DELETE FROM case_copies_due WHERE of_case = ? AND user_id = ? AND asked = ?")
            .bind(due.case.0)
            .bind(due.user_id.as_str())
            .bind(due.asked)
            .execute(tx.connection())
            .await?;
    let is_settled = done.rows_affected() == 1;
    if is_settled {
        sqlx::query("UPDATE case_copies_made SET withdrawn = 1 WHERE of_case = ? AND user_id = ? AND NOT there")
            .bind(due.case.0)
            .bind(due.user_id.as_str())
            .execute(tx.connection())
            .await?;
    }
    Ok(is_settled)
}

/// What was sent before, whose ciphertext lies here whole and of which nothing was told yet; the smallest first.
pub async fn list_here(store: &Store, due: &Due) -> Result<Vec<Here>, StoreError> {
    let rows = sqlx::query(
        "SELECT a.id, a.file, a.size FROM attachments a JOIN messages m ON m.id = a.message
         WHERE m.conversation = ?1 AND m.deleted_ms IS NULL AND a.id <= ?2 AND a.state IN ('ready', 'uploading')
             AND NOT EXISTS (SELECT 1 FROM case_copies_made k WHERE k.of_case = ?3 AND k.user_id = ?4
                 AND k.attachment_id = a.attachment_id AND k.told AND NOT k.withdrawn)
         ORDER BY a.size, a.id",
    )
    .bind(due.conversation.0)
    .bind(due.up_to)
    .bind(due.case.0)
    .bind(due.user_id.as_str())
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Here {
                life: attachments::read_life(row)?,
                size: uint(row, "size")?,
            })
        })
        .collect()
}

/// Plaintext bytes of what was told of.
pub async fn count_told_bytes(store: &Store, due: &Due) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(sum(a.size), 0) AS bytes FROM case_copies_made k JOIN attachments a ON a.attachment_id = k.attachment_id
         WHERE k.of_case = ? AND k.user_id = ? AND k.told AND NOT k.withdrawn",
    )
    .bind(due.case.0)
    .bind(due.user_id.as_str())
    .fetch_one(store.reader())
    .await?;
    uint(&row, "bytes")
}

/// Whether any of it is on its way here, and could be copied once it is.
pub async fn awaits_any(store: &Store, due: &Due) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM attachments a JOIN messages m ON m.id = a.message
             WHERE m.conversation = ? AND m.deleted_ms IS NULL AND a.id <= ? AND a.state = 'downloading') AS awaited",
    )
    .bind(due.conversation.0)
    .bind(due.up_to)
    .fetch_one(store.reader())
    .await?;
    Ok(row.try_get("awaited")?)
}

/// The copy that was begun last, at that time or later: the relay forgets what is older.
pub async fn find(
    store: &Store,
    due: &Due,
    of: AttachmentId,
    since_ms: u64,
) -> Result<Option<Copied>, StoreError> {
    let row = sqlx::query(
        "SELECT copy_id, there, chunks FROM case_copies_made
         WHERE of_case = ? AND user_id = ? AND attachment_id = ? AND begun_ms >= ? AND NOT withdrawn
         ORDER BY begun_ms DESC LIMIT 1",
    )
    .bind(due.case.0)
    .bind(due.user_id.as_str())
    .bind(of.to_vec())
    .bind(int(since_ms))
    .fetch_optional(store.reader())
    .await?;
    row.map(|row| {
        Ok(Copied {
            id: AttachmentId::from_bytes(bytes(&row, "copy_id")?),
            is_there: row.try_get("there")?,
            chunks: row.try_get("chunks")?,
        })
    })
    .transpose()
}

/// Notes a copy before the relay hears of it: from here on it can be gone on with, and removed. It takes the place of those
/// before. False where its message was taken back, or it lies here no more.
pub async fn begin(
    tx: &mut Tx,
    due: &Due,
    (of, copy): (AttachmentId, AttachmentId),
    now_ms: u64,
) -> Result<bool, StoreError> {
    sqlx::query(
        "UPDATE case_copies_made SET withdrawn = 1 WHERE attachment_id = ?2 AND of_case = ?3 AND user_id = ?4;
         INSERT INTO case_copies_made (copy_id, attachment_id, of_case, user_id, begun_ms)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM attachments a JOIN messages m ON m.id = a.message
             WHERE a.attachment_id = ?2 AND m.deleted_ms IS NULL AND a.state IN ('ready', 'uploading'))",
    )
    .bind(copy.to_vec())
    .bind(of.to_vec())
    .bind(due.case.0)
    .bind(due.user_id.as_str())
    .bind(int(now_ms))
    .execute(tx.connection())
    .await?;
    is_kept(tx, copy).await
}

async fn is_kept(tx: &mut Tx, copy: AttachmentId) -> Result<bool, StoreError> {
    let row =
        sqlx::query("SELECT EXISTS (SELECT 1 FROM case_copies_made WHERE copy_id = ?) AS kept")
            .bind(copy.to_vec())
            .fetch_one(tx.connection())
            .await?;
    Ok(row.try_get("kept")?)
}

/// So many of its chunks are at the relay, from the first on; none where it has forgotten them.
pub async fn note_chunks(tx: &mut Tx, copy: AttachmentId, chunks: u32) -> Result<(), StoreError> {
    sqlx::query("UPDATE case_copies_made SET chunks = ? WHERE copy_id = ?")
        .bind(chunks)
        .bind(copy.to_vec())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Whether a copy is still to be there.
pub async fn is_wanted(store: &Store, copy: AttachmentId) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM case_copies_made WHERE copy_id = ? AND NOT withdrawn) AS wanted",
    )
    .bind(copy.to_vec())
    .fetch_one(store.reader())
    .await?;
    Ok(row.try_get("wanted")?)
}

/// All of it is at the relay. False where it was withdrawn meanwhile.
pub async fn note_there(tx: &mut Tx, copy: AttachmentId) -> Result<bool, StoreError> {
    let done =
        sqlx::query("UPDATE case_copies_made SET there = 1 WHERE copy_id = ? AND NOT withdrawn")
            .bind(copy.to_vec())
            .execute(tx.connection())
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Whom it is for is told with this transaction. False where it was withdrawn meanwhile.
pub async fn note_told(tx: &mut Tx, copy: AttachmentId) -> Result<bool, StoreError> {
    let done =
        sqlx::query("UPDATE case_copies_made SET told = 1 WHERE copy_id = ? AND NOT withdrawn")
            .bind(copy.to_vec())
            .execute(tx.connection())
            .await?;
    Ok(done.rows_affected() == 1)
}

/// One that cannot be brought there. What is somebody else's under its id stays.
pub async fn withdraw_one(tx: &mut Tx, copy: AttachmentId) -> Result<(), StoreError> {
    sqlx::query("UPDATE case_copies_made SET withdrawn = 1 WHERE copy_id = ?")
        .bind(copy.to_vec())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Those for whom there are copies of a case's attachments.
pub async fn list_readers(tx: &mut Tx, case: CaseRow) -> Result<Vec<UserId>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT user_id FROM case_copies_made WHERE of_case = ? AND NOT withdrawn ORDER BY user_id",
    )
    .bind(case.0)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| parsed(row, "user_id")).collect()
}

/// What there is for one who is out goes, also what is on its way.
pub async fn withdraw(tx: &mut Tx, case: CaseRow, user_id: &UserId) -> Result<(), StoreError> {
    sqlx::query("UPDATE case_copies_made SET withdrawn = 1 WHERE of_case = ? AND user_id = ?")
        .bind(case.0)
        .bind(user_id.as_str())
        .execute(tx.connection())
        .await?;
    Ok(())
}

pub async fn has_withdrawn(store: &Store) -> Result<bool, StoreError> {
    let row =
        sqlx::query("SELECT EXISTS (SELECT 1 FROM case_copies_made WHERE withdrawn) AS withdrawn")
            .fetch_one(store.reader())
            .await?;
    Ok(row.try_get("withdrawn")?)
}

/// Has the relay forget what was withdrawn. To be called by whoever makes copies, while none is on its way: one must not come
/// there after its removal.
pub async fn ask_for_removals(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT OR IGNORE INTO attachment_removals (attachment_id) SELECT copy_id FROM case_copies_made WHERE withdrawn;
         DELETE FROM case_copies_made WHERE withdrawn",
    )
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets copies that the relay has forgotten.
pub async fn expire(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM case_copies_made WHERE copy_id IN (SELECT copy_id FROM case_copies_made WHERE begun_ms < ? LIMIT ?)",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}
