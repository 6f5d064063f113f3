//! Copies of attachments of before for us, who joined a case late: where they lie, by the word of whoever brought us in (D16).

use connect_proto::ids::{AttachmentId, UserId};

use super::CaseRow;
use crate::attachments::{self, Stored};
use crate::conversations::ConversationRow;
use crate::database::Tx;
use crate::error::StoreError;
use crate::row::{bytes, int};
use sqlx::Row as _;

/// Of one sender in one case at most.
const MOST: usize = 10_000;

/// Notes where somebody says that copies lie: the newest word of theirs.
pub async fn put(
    tx: &mut Tx,
    case: CaseRow,
    sender: &UserId,
    copies: &[(AttachmentId, AttachmentId)],
    now_ms: u64,
) -> Result<(), StoreError> {
    let row =
        sqlx::query("SELECT count(*) AS known FROM case_copies WHERE of_case = ? AND sender = ?")
            .bind(case.0)
            .bind(sender.as_str())
            .fetch_one(tx.connection())
            .await?;
    let known: i64 = row.try_get("known")?;
    let mut room = MOST.saturating_sub(usize::try_from(known).unwrap_or(MOST));
    for (id, copy) in copies {
        let is_newer = |query: &'static str| {
            sqlx::query(query)
                .bind(case.0)
                .bind(sender.as_str())
                .bind(id.to_vec())
                .bind(copy.to_vec())
                .bind(int(now_ms))
        };
        let done = is_newer(
            "UPDATE case_copies SET copy_id = ?4, told_ms = ?5 WHERE of_case = ?1 AND sender = ?2 AND attachment_id = ?3",
        )
        .execute(tx.connection())
        .await?;
        if done.rows_affected() == 0 && room > 0 {
            room -= 1;
            is_newer(
                "INSERT INTO case_copies (of_case, sender, attachment_id, copy_id, told_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )
            .execute(tx.connection())
            .await?;
        }
    }
    Ok(())
}

/// What a case's messages name, can be had by a copy now, and neither lies here nor is being fetched.
pub async fn list_to_fetch(tx: &mut Tx, case: CaseRow) -> Result<Vec<Stored>, StoreError> {
    let rest = " WHERE m.deleted_ms IS NULL
             AND (a.state = 'available' OR (a.state = 'failed' AND a.reason = 'expired'))
             AND EXISTS (SELECT 1 FROM cases c JOIN case_copies k ON k.of_case = c.id AND k.sender = c.introduced_by
                 WHERE c.id = ? AND c.conversation = m.conversation AND k.attachment_id = a.attachment_id)
         ORDER BY a.id";
    attachments::select_all(tx.connection(), rest, case.0).await
}

/// Where the copy of an attachment lies, by the word of whoever brought the account into its case.
pub async fn find(
    tx: &mut Tx,
    conversation: ConversationRow,
    id: AttachmentId,
) -> Result<Option<AttachmentId>, StoreError> {
    let row = sqlx::query(
        "SELECT k.copy_id FROM cases c JOIN case_copies k ON k.of_case = c.id AND k.sender = c.introduced_by
         WHERE c.conversation = ? AND k.attachment_id = ?",
    )
    .bind(conversation.0)
    .bind(id.to_vec())
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| Ok(AttachmentId::from_bytes(bytes(&row, "copy_id")?)))
        .transpose()
}

/// A copy that is none: what lies there is not what was said.
pub async fn forget(
    tx: &mut Tx,
    conversation: ConversationRow,
    copy: AttachmentId,
) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM case_copies WHERE copy_id = ? AND of_case IN (SELECT id FROM cases WHERE conversation = ?)",
    )
    .bind(copy.to_vec())
    .bind(conversation.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Forgets what was told before that time: the relay has forgotten it as well.
pub async fn expire(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM case_copies WHERE (of_case, sender, attachment_id) IN
             (SELECT of_case, sender, attachment_id FROM case_copies WHERE told_ms < ? LIMIT ?)",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}
