//! What waits for a second operator (four eyes), for a day.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::writer::Tx;
use super::{signed, unsigned};
use crate::limits::PROPOSAL_LIFETIME_MS;

/// An order that one operator gave and another one has to confirm.
#[derive(Debug)]
pub(crate) struct Proposal {
    pub(crate) id: u64,
    /// `operators.id`.
    pub(crate) operator: i64,
    pub(crate) name: String,
    /// The order as JSON.
    pub(crate) wanted: String,
    pub(crate) made_ms: u64,
    pub(crate) expires_ms: u64,
}

impl Proposal {
    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: unsigned(row.try_get(0)?),
            operator: row.try_get(1)?,
            name: row.try_get(2)?,
            wanted: row.try_get(3)?,
            made_ms: unsigned(row.try_get(4)?),
            expires_ms: unsigned(row.try_get(5)?),
        })
    }
}

pub(crate) async fn add(
    tx: &mut Tx,
    (operator, name): (i64, &str),
    wanted: &str,
    now_ms: u64,
) -> Result<u64, sqlx::Error> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO proposals (operator, name, wanted, made_ms, expires_ms) VALUES (?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(operator)
    .bind(name)
    .bind(wanted)
    .bind(signed(now_ms))
    .bind(signed(now_ms.saturating_add(PROPOSAL_LIFETIME_MS)))
    .fetch_one(&mut tx.connection)
    .await?;
    Ok(unsigned(id))
}

pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<Proposal>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, operator, name, wanted, made_ms, expires_ms FROM proposals ORDER BY id",
    )
    .fetch_all(&mut tx.connection)
    .await?;
    rows.iter().map(Proposal::read).collect()
}

pub(crate) async fn find(tx: &mut Tx, id: u64) -> Result<Option<Proposal>, sqlx::Error> {
    let all = list(tx).await?;
    Ok(all.into_iter().find(|proposal| proposal.id == id))
}

pub(crate) async fn remove(tx: &mut Tx, id: u64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM proposals WHERE id = ?")
        .bind(signed(id))
        .execute(&mut tx.connection)
        .await?;
    Ok(())
}
