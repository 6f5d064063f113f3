//! The revisions of a case, and which of them is in force.

use connect_core::case::control::Control;
use connect_core::message::{self, Payload};
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use sqlx::Row as _;

use super::{CaseRow, read_control};
use crate::database::Tx;
use crate::error::StoreError;
use crate::row::{int, optional_uint, parsed};

/// A revision to store.
#[derive(Debug, Clone, Copy)]
pub struct NewControl<'a> {
    pub control: &'a Control,
    pub author: &'a UserId,
    /// Whose keys count with it, where it brings the account in or is from before that; else those of whoever began its
    /// epoch.
    pub introduced_by: Option<&'a UserId>,
    pub stored_ms: u64,
}

/// Stores a revision. False where it is there already.
pub async fn add(tx: &mut Tx, case: CaseRow, new: NewControl<'_>) -> Result<bool, StoreError> {
    let NewControl {
        control,
        author,
        introduced_by,
        stored_ms,
    } = new;
    let done = sqlx::query(
        "INSERT INTO case_controls (of_case, revision, digest, epoch, author, payload, stored_ms, key_from, began)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce(?8, b.key_from, ?5), coalesce(b.began, ?3)
         FROM (SELECT 1) LEFT JOIN case_controls b
             ON b.of_case = ?1 AND b.digest = ?9 AND b.epoch = ?4 AND ?8 IS NULL
         WHERE TRUE ON CONFLICT DO NOTHING",
    )
    .bind(case.0)
    .bind(int(control.revision))
    .bind(control.digest().as_slice())
    .bind(control.epoch)
    .bind(author.as_str())
    .bind(message::encode(&Payload::CaseControl(control.clone())).as_slice())
    .bind(int(stored_ms))
    .bind(introduced_by.map(UserId::as_str))
    .bind(control.previous.map(Vec::from))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// From now on this one, which is stored, is in force.
pub async fn put_in_force(
    tx: &mut Tx,
    case: CaseRow,
    control: &Control,
    now_ms: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE cases SET control = (SELECT id FROM case_controls WHERE of_case = ?1 AND digest = ?2),
             title = ?3, changed_ms = ?4,
             closed_ms = CASE WHEN ?5 THEN coalesce(closed_ms, ?4) END
         WHERE id = ?1",
    )
    .bind(case.0)
    .bind(control.digest().as_slice())
    .bind(&control.title)
    .bind(int(now_ms))
    .bind(control.closed)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A revision by the digest that entries name it by.
pub async fn find(
    tx: &mut Tx,
    case: CaseRow,
    digest: &Digest,
) -> Result<Option<Control>, StoreError> {
    let found = find_authored(tx, case, digest).await?;
    Ok(found.map(|(control, _)| control))
}

/// As `find`, with its author.
pub async fn find_authored(
    tx: &mut Tx,
    case: CaseRow,
    digest: &Digest,
) -> Result<Option<(Control, UserId)>, StoreError> {
    let row =
        sqlx::query("SELECT payload, author FROM case_controls WHERE of_case = ? AND digest = ?")
            .bind(case.0)
            .bind(digest.as_slice())
            .fetch_optional(tx.connection())
            .await?;
    row.map(|row| {
        Ok((
            read_control(row.try_get("payload")?)?,
            parsed(&row, "author")?,
        ))
    })
    .transpose()
}

/// Whether somebody's key of an epoch counts by a revision that is here.
pub async fn counts(
    tx: &mut Tx,
    case: CaseRow,
    epoch: u32,
    user_id: &UserId,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM case_controls
             WHERE of_case = ? AND epoch = ? AND key_from = ?) AS counts",
    )
    .bind(case.0)
    .bind(epoch)
    .bind(user_id.as_str())
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get("counts")?)
}

/// The oldest revision that is here: not the case's first, where the account joined later and its history is on the way.
pub async fn first_revision(tx: &mut Tx, case: CaseRow) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query("SELECT min(revision) AS first FROM case_controls WHERE of_case = ?")
        .bind(case.0)
        .fetch_one(tx.connection())
        .await?;
    optional_uint(&row, "first")
}

/// Since when another epoch has the place of this one.
pub async fn followed_ms(
    tx: &mut Tx,
    case: CaseRow,
    epoch: u32,
) -> Result<Option<u64>, StoreError> {
    let row = sqlx::query(
        "SELECT min(stored_ms) AS since_ms FROM case_controls WHERE of_case = ? AND epoch > ?",
    )
    .bind(case.0)
    .bind(epoch)
    .fetch_one(tx.connection())
    .await?;
    optional_uint(&row, "since_ms")
}
