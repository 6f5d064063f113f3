//! Request nonces (D8): spent in the transaction of what they authenticated, so that no restart forgets them.

use std::collections::HashSet;

use connect_proto::request::NONCE_LEN;
use connect_proto::routes::SIGNATURE_WINDOW_MS;

use super::writer::Tx;
use super::{UserNumber, signed, to_json, unsigned};
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

    fn key(&self) -> Key {
        (self.user, self.bytes)
    }
}

/// Those of a group that were never seen before, each good for one change.
pub(super) enum Fresh {
    /// The usual case: no two are alike, and none was spent before.
    All,
    These(HashSet<Key>),
}

impl Fresh {
    pub(super) fn spend(&mut self, nonce: Nonce) -> bool {
        match self {
            Self::All => true,
            Self::These(keys) => keys.remove(&nonce.key()),
        }
    }
}

/// Begins the transaction of a whole group and spends its nonces, in one trip to the database's thread.
pub(super) async fn begin_spending(tx: &mut Tx, nonces: &[Nonce]) -> Result<Fresh, sqlx::Error> {
    if nonces.is_empty() {
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut tx.connection)
            .await?;
        return Ok(Fresh::All);
    }
    let list: Vec<_> = nonces
        .iter()
        .map(|nonce| (nonce.user.0, nonce.expires_ms))
        .collect();
    let bytes: Vec<u8> = nonces.iter().flat_map(|nonce| nonce.bytes).collect();
    let spent: i64 = sqlx::query_scalar(
        "BEGIN IMMEDIATE;
         INSERT INTO nonces (user, nonce, expires_ms)
         SELECT value ->> 0, substr(?, key * 16 + 1, 16), value ->> 1 FROM json_each(?) WHERE true
         ON CONFLICT DO NOTHING;
         SELECT changes()",
    )
    .bind(bytes)
    .bind(to_json(&list)?)
    .fetch_one(&mut tx.connection)
    .await?;
    if unsigned(spent) == nonces.len() as u64 {
        return Ok(Fresh::All);
    }
    spend_one_by_one(tx, nonces).await.map(Fresh::These)
}

/// Somebody repeats a request: it takes a second attempt to tell which one.
async fn spend_one_by_one(tx: &mut Tx, nonces: &[Nonce]) -> Result<HashSet<Key>, sqlx::Error> {
    sqlx::query("ROLLBACK; BEGIN IMMEDIATE")
        .execute(&mut tx.connection)
        .await?;
    let mut fresh = HashSet::new();
    for nonce in nonces {
        let spent = sqlx::query(
            "INSERT INTO nonces (user, nonce, expires_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(nonce.user.0)
        .bind(nonce.bytes.as_slice())
        .bind(signed(nonce.expires_ms))
        .execute(&mut tx.connection)
        .await?;
        if spent.rows_affected() > 0 {
            fresh.insert(nonce.key());
        }
    }
    Ok(fresh)
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
