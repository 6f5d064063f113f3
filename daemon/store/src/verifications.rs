//! How far each organisation has come with the files that say whose keys are whose (D25).

use connect_proto::hash::Digest;
use connect_proto::keys::SignPublicKey;

use crate::database::Tx;
use crate::error::StoreError;
use crate::row::{bytes, int, uint};

/// The newest file that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    pub serial: u64,
    /// Of the statement's bytes.
    pub digest: Digest,
}

pub async fn find_in(tx: &mut Tx, key: &SignPublicKey) -> Result<Option<Newest>, StoreError> {
    let row = sqlx::query("SELECT serial, digest FROM verifications WHERE organisation_key = ?")
        .bind(key.as_bytes().as_slice())
        .fetch_optional(tx.connection())
        .await?;
    row.map(|row| {
        Ok(Newest {
            serial: uint(&row, "serial")?,
            digest: bytes(&row, "digest")?,
        })
    })
    .transpose()
}

pub async fn put(
    tx: &mut Tx,
    key: &SignPublicKey,
    newest: &Newest,
    now_ms: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO verifications (organisation_key, serial, digest, taken_ms) VALUES (?, ?, ?, ?)
         ON CONFLICT (organisation_key) DO UPDATE SET serial = excluded.serial, digest = excluded.digest,
             taken_ms = excluded.taken_ms",
    )
    .bind(key.as_bytes().as_slice())
    .bind(int(newest.serial))
    .bind(newest.digest.as_slice())
    .bind(int(now_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}
