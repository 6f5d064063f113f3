//! The search for people (§10.4): a few of those whose profile or user id has every word.

use connect_proto::ids::UserId;
use sqlx::{Row as _, SqlitePool};

/// Hits that are looked at before they are put in order: a common word must not cost more.
const CANDIDATES: u32 = 500;

/// User ids: attested ones first, then by name; never a deleted one.
///
/// `words` is an expression of FTS5, and `exactly` the user id that was asked for, if it can be one.
pub(crate) async fn find(
    readers: &SqlitePool,
    words: &str,
    exactly: Option<&UserId>,
    limit: usize,
) -> Result<Vec<UserId>, sqlx::Error> {
    let rows = sqlx::query(
        "WITH found (id) AS (
             SELECT * FROM (SELECT rowid FROM people WHERE people MATCH ?1 LIMIT ?2)
             UNION SELECT id FROM users WHERE user_id = ?3)
         SELECT user_id FROM users WHERE id IN found AND state <> 1
         ORDER BY user_id IS NOT ?3, attested DESC, display_name COLLATE NOCASE, user_id LIMIT ?4",
    )
    .bind(words)
    .bind(CANDIDATES)
    .bind(exactly.map(UserId::as_str))
    .bind(u32::try_from(limit).unwrap_or(CANDIDATES))
    .fetch_all(readers)
    .await?;
    let ids = rows.iter().map(|row| {
        let id: &str = row.try_get(0)?;
        id.parse()
            .map_err(|_| sqlx::Error::Decode("a user id is malformed".into()))
    });
    ids.collect()
}
