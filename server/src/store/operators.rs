//! Operators' credentials (§10.6): names, roles and hashes.

use connect_proto::hash::Digest;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::writer::Tx;
use super::{signed, unsigned};

/// A named credential.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) may_attest: bool,
    pub(crate) may_revoke: bool,
    pub(crate) added_ms: u64,
    pub(crate) by_certificate: bool,
}

/// By what a credential is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Hash {
    Token(Digest),
    Certificate(Digest),
}

impl Operator {
    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            may_attest: row.try_get(2)?,
            may_revoke: row.try_get(3)?,
            added_ms: unsigned(row.try_get(4)?),
            by_certificate: row.try_get(5)?,
        })
    }
}

pub(crate) async fn list(tx: &mut Tx) -> Result<Vec<Operator>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, name, may_attest, may_revoke, added_ms, certificate IS NOT NULL FROM operators ORDER BY name",
    )
    .fetch_all(&mut tx.connection)
    .await?;
    rows.iter().map(Operator::read).collect()
}

/// A token is its name's alone; a certificate names whom it belongs to.
pub(crate) async fn find(
    tx: &mut Tx,
    name: Option<&str>,
    hash: Hash,
) -> Result<Option<Operator>, sqlx::Error> {
    let (token, certificate) = split(&hash);
    let row = sqlx::query(
        "SELECT id, name, may_attest, may_revoke, added_ms, certificate IS NOT NULL FROM operators
         WHERE (?1 IS NULL OR name = ?1) AND (token_hash = ?2 OR certificate = ?3)",
    )
    .bind(name)
    .bind(token)
    .bind(certificate)
    .fetch_optional(&mut tx.connection)
    .await?;
    row.as_ref().map(Operator::read).transpose()
}

/// False where the name or the certificate is taken.
pub(crate) async fn add(
    tx: &mut Tx,
    name: &str,
    hash: Hash,
    (may_attest, may_revoke): (bool, bool),
    now_ms: u64,
) -> Result<bool, sqlx::Error> {
    let (token, certificate) = split(&hash);
    let added = sqlx::query(
        "INSERT INTO operators (name, token_hash, certificate, may_attest, may_revoke, added_ms)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(name)
    .bind(token)
    .bind(certificate)
    .bind(may_attest)
    .bind(may_revoke)
    .bind(signed(now_ms))
    .execute(&mut tx.connection)
    .await?;
    Ok(added.rows_affected() > 0)
}

/// False where there is none.
pub(crate) async fn remove(tx: &mut Tx, name: &str) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query("DELETE FROM operators WHERE name = ?")
        .bind(name)
        .execute(&mut tx.connection)
        .await?;
    Ok(removed.rows_affected() > 0)
}

fn split(hash: &Hash) -> (Option<&[u8]>, Option<&[u8]>) {
    match hash {
        Hash::Token(hash) => (Some(hash.as_slice()), None),
        Hash::Certificate(hash) => (None, Some(hash.as_slice())),
    }
}
