//! How much there is of everything, and nothing of whom.

use sqlx::{Row as _, SqlitePool};

use super::unsigned;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) active: u64,
    pub(crate) without_key: u64,
    pub(crate) deleted: u64,
    pub(crate) attested: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) ephemerals: u64,
    pub(crate) proposals: u64,
    pub(crate) log_entries: u64,
    pub(crate) attachments: u64,
    pub(crate) attachments_to_remove: u64,
    pub(crate) chunk_bytes: u64,
}

pub(crate) async fn read(readers: &SqlitePool) -> Result<Figures, sqlx::Error> {
    let row = sqlx::query(
        "SELECT count(*) FILTER (WHERE u.state = 0), count(*) FILTER (WHERE u.state = 2),
                count(*) FILTER (WHERE u.state = 1), count(*) FILTER (WHERE u.attested <> 0),
                coalesce(sum(m.messages), 0), coalesce(sum(m.bytes), 0), coalesce(sum(m.ephemerals), 0),
                (SELECT count(*) FROM proposals), (SELECT count(*) FROM operator_log),
                (SELECT count(*) FROM attachments WHERE attachment_id IS NOT NULL),
                (SELECT count(*) FROM attachments WHERE attachment_id IS NULL),
                (SELECT bytes FROM chunk_store)
         FROM users u LEFT JOIN mailboxes m ON m.user = u.id",
    )
    .fetch_one(readers)
    .await?;
    let figure = |at: usize| Ok::<_, sqlx::Error>(unsigned(row.try_get(at)?));
    Ok(Figures {
        active: figure(0)?,
        without_key: figure(1)?,
        deleted: figure(2)?,
        attested: figure(3)?,
        messages: figure(4)?,
        bytes: figure(5)?,
        ephemerals: figure(6)?,
        proposals: figure(7)?,
        log_entries: figure(8)?,
        attachments: figure(9)?,
        attachments_to_remove: figure(10)?,
        chunk_bytes: figure(11)?,
    })
}
