//! Who shared keys of a case, and with which revision: by that word the account may come in (D16).

use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use sqlx::Row as _;

use super::CaseRow;
use crate::database::Tx;
use crate::error::StoreError;

/// Of one sender: the newest ones are kept.
const KEPT: u32 = 8;

/// Notes a share; one that comes in several parts names one revision in all of them.
pub async fn add(
    tx: &mut Tx,
    case: CaseRow,
    sender: &UserId,
    control: &Digest,
    history: Option<&[u8]>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO case_shares (of_case, sender, control, history) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET history = coalesce(excluded.history, history)",
    )
    .bind(case.0)
    .bind(sender.as_str())
    .bind(control.as_slice())
    .bind(history)
    .execute(tx.connection())
    .await?;
    sqlx::query(
        "DELETE FROM case_shares WHERE id IN (
             SELECT id FROM case_shares WHERE of_case = ? AND sender = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
    )
    .bind(case.0)
    .bind(sender.as_str())
    .bind(KEPT)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Whether somebody shared keys with that revision.
pub async fn has(
    tx: &mut Tx,
    case: CaseRow,
    sender: &UserId,
    control: &Digest,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM case_shares WHERE of_case = ? AND sender = ? AND control = ?) AS shared",
    )
    .bind(case.0)
    .bind(sender.as_str())
    .bind(control.as_slice())
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get("shared")?)
}
