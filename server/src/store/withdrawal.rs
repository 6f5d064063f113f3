//! The end of an attachment, in two phases: nobody finds it any more; then its chunks are removed, and last its rows.

use connect_proto::ids::AttachmentId;
use sqlx::{Row as _, SqlitePool};

use super::chunks::exactly;
use super::writer::{Single, Tx};
use super::{UserNumber, signed};
use crate::chunks::{AttachmentNumber, Name};

/// Its owner takes it back from all readers.
#[derive(Debug)]
pub(crate) struct Withdraw {
    pub(crate) owner: UserNumber,
    pub(crate) id: AttachmentId,
}

impl Single for Withdraw {
    type Outcome = ();

    async fn apply(&mut self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE attachments SET attachment_id = NULL WHERE attachment_id = ? AND owner = ?",
        )
        .bind(self.id.as_bytes().as_slice())
        .bind(self.owner.0)
        .execute(&mut tx.connection)
        .await?;
        Ok(())
    }
}

/// Some of those whose time is over; answers how many.
pub(super) async fn expire(tx: &mut Tx, now_ms: u64, at_most: u32) -> Result<u64, sqlx::Error> {
    let expired = sqlx::query(
        "UPDATE attachments SET attachment_id = NULL WHERE id IN
         (SELECT id FROM attachments WHERE attachment_id IS NOT NULL AND expires_ms <= ? ORDER BY expires_ms LIMIT ?)",
    )
    .bind(signed(now_ms))
    .bind(at_most)
    .execute(&mut tx.connection)
    .await?;
    Ok(expired.rows_affected())
}

/// A deleted account owns nothing and reads nothing; whoever enrolls under its name later is not the one who was named.
pub(super) async fn part_from(tx: &mut Tx, user: UserNumber) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE attachments SET attachment_id = NULL WHERE owner = ? AND attachment_id IS NOT NULL;
         DELETE FROM attachment_readers WHERE reader = ?",
    )
    .bind(user.0)
    .bind(user.0)
    .execute(&mut tx.connection)
    .await?;
    Ok(())
}

/// The next one after that one whose chunks are to be removed.
pub(crate) async fn next(
    readers: &SqlitePool,
    after: Option<AttachmentNumber>,
) -> Result<Option<AttachmentNumber>, sqlx::Error> {
    let next: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM attachments WHERE attachment_id IS NULL AND id > ? ORDER BY id LIMIT 1",
    )
    .bind(after.map_or(0, |after| after.0))
    .fetch_optional(readers)
    .await?;
    Ok(next.map(AttachmentNumber))
}

pub(crate) async fn chunks(
    readers: &SqlitePool,
    attachment: AttachmentNumber,
) -> Result<Vec<Name>, sqlx::Error> {
    let rows = sqlx::query("SELECT position, token FROM chunks WHERE attachment = ?")
        .bind(attachment.0)
        .fetch_all(readers)
        .await?;
    let names = rows.iter().map(|row| {
        Ok(Name {
            attachment,
            index: row.try_get(0)?,
            token: exactly(row.try_get(1)?)?,
        })
    });
    names.collect()
}

/// Its chunks are removed: nothing speaks of it any more.
#[derive(Debug)]
pub(crate) struct Forget {
    pub(crate) attachment: AttachmentNumber,
}

impl Single for Forget {
    type Outcome = ();

    async fn apply(&mut self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE chunk_store SET bytes = bytes - (SELECT coalesce(sum(size), 0) FROM chunks WHERE attachment = ?);
             DELETE FROM chunks WHERE attachment = ?;
             DELETE FROM attachment_readers WHERE attachment = ?;
             DELETE FROM attachments WHERE id = ?",
        )
        .bind(self.attachment.0)
        .bind(self.attachment.0)
        .bind(self.attachment.0)
        .bind(self.attachment.0)
        .execute(&mut tx.connection)
        .await?;
        Ok(())
    }
}
