//! What was written before the account came in: where it is found, and how far it has been taken in (D16).

use connect_proto::ids::CaseId;
use sqlx::Row as _;
use zeroize::Zeroizing;

use super::{CaseRow, entries, past};
use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::bytes;

/// Where the history of a case is found, by the word of whoever brought the account in: the newest that it said. Nothing
/// changes where one is on its way already, or has come in whole. Returns whether there is one to fetch now.
pub async fn accept(tx: &mut Tx, case: CaseRow) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE cases SET history = (
             SELECT s.history FROM case_shares s
             WHERE s.of_case = cases.id AND s.sender = cases.introduced_by AND s.history IS NOT NULL
             ORDER BY s.id DESC LIMIT 1)
         WHERE id = ? AND history IS NULL AND NOT history_is_here AND introduced_by IS NOT NULL
         RETURNING history IS NOT NULL AS awaited",
    )
    .bind(case.0)
    .fetch_optional(tx.connection())
    .await?;
    if done.is_none_or(|row| !row.try_get::<bool, _>("awaited").unwrap_or(false)) {
        return Ok(false);
    }
    // It was said once, and is fetched once.
    sqlx::query("UPDATE case_shares SET history = NULL WHERE of_case = ?")
        .bind(case.0)
        .execute(tx.connection())
        .await?;
    Ok(true)
}

/// Those whose history is still to be fetched.
pub async fn list_awaited(store: &Store) -> Result<Vec<CaseId>, StoreError> {
    let rows =
        sqlx::query("SELECT case_id FROM cases WHERE history IS NOT NULL AND left_ms IS NULL")
            .fetch_all(store.reader())
            .await?;
    rows.iter()
        .map(|row| Ok(CaseId::from_bytes(bytes(row, "case_id")?)))
        .collect()
}

/// An encoded `Attachment`.
pub async fn find(store: &Store, case: CaseRow) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let row = sqlx::query("SELECT history FROM cases WHERE id = ?")
        .bind(case.0)
        .fetch_one(store.reader())
        .await?;
    let history: Option<Vec<u8>> = row.try_get("history")?;
    Ok(history.map(Zeroizing::new))
}

/// Before the first of `count` messages and entries that are to stand before all else: the same ones until all are here.
pub async fn places(
    tx: &mut Tx,
    case: CaseRow,
    conversation: ConversationRow,
    count: i64,
) -> Result<(i64, i64), StoreError> {
    let message = past::first_place(tx, conversation).await? - count;
    let entry = entries::first_place(tx, case).await? - count;
    let row = sqlx::query(
        "UPDATE cases SET message_place = coalesce(message_place, ?), entry_place = coalesce(entry_place, ?)
         WHERE id = ? RETURNING message_place, entry_place",
    )
    .bind(message)
    .bind(entry)
    .bind(case.0)
    .fetch_one(tx.connection())
    .await?;
    Ok((row.try_get("message_place")?, row.try_get("entry_place")?))
}

/// Nothing is to be fetched any more: all of it is here, or there was nothing to be had.
pub async fn end(tx: &mut Tx, case: CaseRow, is_here: bool) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE cases SET history = NULL, history_is_here = ?, message_place = NULL, entry_place = NULL WHERE id = ?",
    )
    .bind(is_here)
    .bind(case.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}
