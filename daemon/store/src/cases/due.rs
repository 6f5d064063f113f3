//! Who is still to get a case's keys, and what has to happen before.

use connect_proto::ids::{CaseId, UserId};

use super::CaseRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, parsed};
use sqlx::Row as _;

/// A share that is still to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub case: CaseRow,
    pub case_id: CaseId,
    pub user_id: UserId,
    /// It joins later, and is to read what was written before.
    pub with_history: bool,
}

pub async fn add(
    tx: &mut Tx,
    case: CaseRow,
    user_id: &UserId,
    with_history: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO case_shares_due (of_case, user_id, with_history) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET with_history = max(with_history, excluded.with_history)",
    )
    .bind(case.0)
    .bind(user_id.as_str())
    .bind(with_history)
    .execute(tx.connection())
    .await?;
    Ok(())
}

pub async fn list(store: &Store) -> Result<Vec<Due>, StoreError> {
    let rows = sqlx::query(
        "SELECT d.*, c.case_id FROM case_shares_due d JOIN cases c ON c.id = d.of_case ORDER BY d.of_case, d.user_id",
    )
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Due {
                case: CaseRow(row.try_get("of_case")?),
                case_id: CaseId::from_bytes(bytes(row, "case_id")?),
                user_id: parsed(row, "user_id")?,
                with_history: row.try_get("with_history")?,
            })
        })
        .collect()
}

/// False where it is settled already.
pub async fn settle(tx: &mut Tx, due: &Due) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM case_shares_due WHERE of_case = ? AND user_id = ?")
        .bind(due.case.0)
        .bind(due.user_id.as_str())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() == 1)
}
