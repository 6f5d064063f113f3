//! Request nonces (D8): spent in the transaction of what they authenticated, so that no restart forgets them.

use std::collections::HashSet;
use std::fmt::Write as _;

use connect_proto::request::NONCE_LEN;
use connect_proto::routes::SIGNATURE_WINDOW_MS;
use sqlx::Row as _;

use super::writer::Tx;
use super::{UserNumber, signed};
use crate::limits::NONCE_MARGIN_MS;

type Key = (UserNumber, [u8; NONCE_LEN]);

/// A nonce to be spent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nonce {
    user: UserNumber,
    bytes: [u8; NONCE_LEN],
    expires_ms: u64,
}

impl Nonce {
    /// A timestamp that is accepted now is accepted for at most two windows more, if the clock goes on as it should.
    pub(crate) fn new(user: UserNumber, bytes: [u8; NONCE_LEN], now_ms: u64) -> Self {
        Self {
            user,
            bytes,
            expires_ms: now_ms.saturating_add(2 * SIGNATURE_WINDOW_MS + NONCE_MARGIN_MS + 1),
        }
    }

    pub(super) fn key(&self) -> Key {
        (self.user, self.bytes)
    }
}

/// Begins the transaction of a whole group and spends its nonces, in one trip to the database's thread; answers those
/// that were never seen before.
pub(super) async fn begin_spending(
    tx: &mut Tx,
    nonces: &[Nonce],
) -> Result<HashSet<Key>, sqlx::Error> {
    let mut list = String::from("[");
    for Nonce {
        user,
        bytes,
        expires_ms,
    } in nonces
    {
        let comma = if list.len() > 1 { "," } else { "" };
        let _ = write!(
            list,
            "{comma}[{},\"{}\",{}]",
            user.0,
            hex::encode(bytes),
            signed(*expires_ms)
        );
    }
    if list.len() == 1 {
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut tx.connection)
            .await?;
        return Ok(HashSet::new());
    }
    list.push(']');
    let fresh = sqlx::query(
        "BEGIN IMMEDIATE;
         INSERT INTO nonces (user, nonce, expires_ms)
         SELECT value ->> 0, unhex(value ->> 1), value ->> 2 FROM json_each(?) WHERE true
         ON CONFLICT DO NOTHING RETURNING user, nonce",
    )
    .bind(list)
    .fetch_all(&mut tx.connection)
    .await?;
    fresh
        .into_iter()
        .map(|row| {
            let nonce: &[u8] = row.try_get(1)?;
            let nonce = nonce
                .try_into()
                .map_err(|_| sqlx::Error::Decode("a nonce is not 16 bytes long".into()))?;
            Ok((UserNumber(row.try_get(0)?), nonce))
        })
        .collect()
}

/// Forgets some of those that no timestamp within the window can carry; answers how many.
pub(super) async fn purge(tx: &mut Tx, now_ms: u64, at_most: u32) -> Result<u64, sqlx::Error> {
    let purged = sqlx::query(
        "DELETE FROM nonces WHERE (user, nonce) IN
         (SELECT user, nonce FROM nonces WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)",
    )
    .bind(signed(now_ms))
    .bind(at_most)
    .execute(&mut tx.connection)
    .await?;
    Ok(purged.rows_affected())
}
