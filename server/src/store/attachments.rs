//! Attachments and their readers (§8.2.2).

use connect_proto::hash::Digest;
use connect_proto::ids::{AttachmentId, UserId};
use sqlx::Row as _;

use super::writer::{Single, Tx};
use super::{UserNumber, signed, to_json, unsigned};
use crate::limits::ATTACHMENT_LIFETIME_MS;

/// A user announces an attachment.
#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) owner: UserNumber,
    pub(crate) id: AttachmentId,
    pub(crate) size: u64,
    pub(crate) chunk_count: u32,
    /// No one twice.
    pub(crate) readers: Vec<UserId>,
    pub(crate) digest: Digest,
    pub(crate) now_ms: u64,
    pub(crate) max_attachments: u64,
    pub(crate) max_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    /// Now, or as the very same before.
    Created,
    /// Something else is there under the same id.
    Conflict,
    /// None of those who were named is known.
    UnknownReader,
    QuotaFull,
    /// The owner is not who it was when the request was authenticated.
    OwnerGone,
}

impl Single for Create {
    type Outcome = Creation;

    async fn apply(&mut self, tx: &mut Tx) -> Result<Creation, sqlx::Error> {
        let before =
            sqlx::query("SELECT owner = ? AND digest = ? FROM attachments WHERE attachment_id = ?")
                .bind(self.owner.0)
                .bind(self.digest.as_slice())
                .bind(self.id.as_bytes().as_slice())
                .fetch_optional(&mut tx.connection)
                .await?;
        if let Some(before) = before {
            let is_same = before.try_get(0)?;
            return Ok(if is_same {
                Creation::Created
            } else {
                Creation::Conflict
            });
        }
        if !self.owner_is_active(tx).await? {
            return Ok(Creation::OwnerGone);
        }
        let names: Vec<_> = self.readers.iter().map(UserId::as_str).collect();
        // Whose keys were revoked may enroll again, and then read.
        let readers: Vec<i64> = sqlx::query_scalar(
            "SELECT u.id FROM json_each(?) j JOIN users u ON u.user_id = j.value AND u.state <> 1",
        )
        .bind(to_json(&names)?)
        .fetch_all(&mut tx.connection)
        .await?;
        // One of many who is gone must not keep a file from all others; whoever is unknown reads nothing.
        if readers.is_empty() && !names.is_empty() {
            return Ok(Creation::UnknownReader);
        }
        if !self.fits(tx).await? {
            return Ok(Creation::QuotaFull);
        }
        self.insert(tx, &readers).await?;
        Ok(Creation::Created)
    }
}

impl Create {
    async fn owner_is_active(&self, tx: &mut Tx) -> Result<bool, sqlx::Error> {
        let state: Option<i64> = sqlx::query_scalar("SELECT state FROM users WHERE id = ?")
            .bind(self.owner.0)
            .fetch_optional(&mut tx.connection)
            .await?;
        Ok(state == Some(0))
    }

    /// What was announced counts, so that nobody begins what cannot be finished.
    async fn fits(&self, tx: &mut Tx) -> Result<bool, sqlx::Error> {
        let row = sqlx::query(
            "SELECT count(*), coalesce(sum(size), 0) FROM attachments WHERE owner = ? AND attachment_id IS NOT NULL",
        )
        .bind(self.owner.0)
        .fetch_one(&mut tx.connection)
        .await?;
        let (attachments, bytes) = (unsigned(row.try_get(0)?), unsigned(row.try_get(1)?));
        Ok(attachments < self.max_attachments && bytes.saturating_add(self.size) <= self.max_bytes)
    }

    async fn insert(&self, tx: &mut Tx, readers: &[i64]) -> Result<(), sqlx::Error> {
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO attachments (attachment_id, owner, digest, size, chunk_count, expires_ms)
             VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        )
        .bind(self.id.as_bytes().as_slice())
        .bind(self.owner.0)
        .bind(self.digest.as_slice())
        .bind(signed(self.size))
        .bind(self.chunk_count)
        .bind(signed(self.now_ms.saturating_add(ATTACHMENT_LIFETIME_MS)))
        .fetch_one(&mut tx.connection)
        .await?;
        sqlx::query(
            "INSERT INTO attachment_readers (attachment, reader) SELECT ?, value FROM json_each(?)",
        )
        .bind(number)
        .bind(to_json(&readers)?)
        .execute(&mut tx.connection)
        .await?;
        Ok(())
    }
}
