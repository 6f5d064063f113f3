//! Full-text search: an index that is made after the messages were stored, and a search that also reads what is not in it.

use std::fmt;

use connect_proto::ids::{MessageId, UserId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::conversations::{self, Conversation, ConversationRow};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, parsed, text, uint};

mod expression;
pub mod query;
pub mod snippet;
mod words;

use expression::expression;
use query::Query;
use snippet::{Snippet, cut_out};

/// Messages beyond the index that are read at once.
const TAIL_AT_ONCE: u32 = 500;
/// Messages beyond the index that one search reads: what is left is for its next page.
const TAIL_AT_MOST: u32 = 5_000;

/// What is looked for, and where.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'q> {
    pub query: &'q Query,
    pub conversation: Option<ConversationRow>,
    /// Only messages that were stored before the one of this row.
    pub before: Option<i64>,
    pub limit: u32,
}

/// A message in which everything occurs that is looked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Hit {
    pub row: i64,
    pub message_id: MessageId,
    pub conversation: Conversation,
    pub sender: UserId,
    pub timestamp_ms: u64,
    pub snippet: Snippet,
}

/// A page of hits, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// The `before` of the next page, if there is one.
    pub next: Option<i64>,
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hit({})", self.message_id)
    }
}

/// Puts the oldest messages that are not in the index into it, at most `limit` of them, and tells how many.
pub async fn index(tx: &mut Tx, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "INSERT INTO search (rowid, text, conversation)
         SELECT id, text, char(57344) || conversation FROM messages
         WHERE id > (SELECT indexed_up_to FROM search_state) ORDER BY id LIMIT ?",
    )
    .bind(limit)
    .execute(tx.connection())
    .await?;
    sqlx::query(
        "UPDATE search_state SET indexed_up_to = coalesce((SELECT max(id) FROM
             (SELECT id FROM messages WHERE id > indexed_up_to ORDER BY id LIMIT ?)), indexed_up_to)",
    )
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// Whether there are messages that are not in the index.
pub async fn is_behind(store: &Store) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(max(id), 0) > (SELECT indexed_up_to FROM search_state) FROM messages",
    )
    .fetch_one(store.reader())
    .await?;
    Ok(row.try_get(0)?)
}

/// What lies beyond the index is read first, and how far the index went then. It may have gone further meanwhile: it is
/// asked for the rest alone, so that no hit is missed or told twice.
pub async fn find(store: &Store, wanted: &Wanted<'_>) -> Result<Found, StoreError> {
    let mut look = store.reader().acquire().await?;
    let mut hits = Vec::new();
    let left = match read_tail(&mut look, wanted, &mut hits).await? {
        Tail::Read { indexed } => {
            read_index(&mut look, wanted, indexed, &mut hits).await?;
            None
        }
        Tail::Left { before } => Some(before),
    };
    let limit = wanted.limit as usize;
    let more = hits.len() > limit;
    hits.truncate(limit);
    let last = hits.last().map(|hit| hit.row);
    Ok(Found {
        next: if more { last } else { left },
        hits,
    })
}

/// What became of reading what lies beyond the index.
enum Tail {
    /// All of it.
    Read { indexed: i64 },
    /// There was one hit too many, or more than one search reads.
    Left { before: i64 },
}

/// Reads back from the newest message to the index.
async fn read_tail(
    look: &mut SqliteConnection,
    wanted: &Wanted<'_>,
    hits: &mut Vec<Hit>,
) -> Result<Tail, StoreError> {
    let mut before = wanted.before.unwrap_or(i64::MAX);
    for _ in 0..TAIL_AT_MOST / TAIL_AT_ONCE {
        // One row at least, which tells how far the index goes.
        let rows = sqlx::query(
            "SELECT s.indexed_up_to, m.id, m.text FROM search_state s LEFT JOIN messages m
                 ON m.id > s.indexed_up_to AND m.id < ?1 AND (?2 IS NULL OR m.conversation = ?2)
             WHERE s.one = 1 ORDER BY m.id DESC LIMIT ?3",
        )
        .bind(before)
        .bind(wanted.conversation.map(|row| row.0))
        .bind(TAIL_AT_ONCE)
        .fetch_all(&mut *look)
        .await?;
        for row in &rows {
            let Some(id) = row.try_get("id")? else {
                // The index may have come further since the first of these was read.
                let indexed: i64 = row.try_get("indexed_up_to")?;
                let indexed = indexed.min(before.saturating_sub(1));
                return Ok(Tail::Read { indexed });
            };
            before = id;
            if !wanted.query.matches(text(row, "text")?).is_empty() {
                hits.extend(read_one(look, wanted.query, id).await?);
            }
            if hits.len() > wanted.limit as usize {
                return Ok(Tail::Left { before });
            }
        }
    }
    Ok(Tail::Left { before })
}

/// None where the message was removed, or is another one, since it was seen.
async fn read_one(
    look: &mut SqliteConnection,
    query: &Query,
    id: i64,
) -> Result<Option<Hit>, StoreError> {
    let row = sqlx::query(
        "SELECT m.id, m.message_id, m.sender, m.timestamp_ms, m.text, c.kind, c.peer
         FROM messages m CROSS JOIN conversations c ON c.id = m.conversation WHERE m.id = ?",
    )
    .bind(id)
    .fetch_optional(look)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let matches = query.matches(text(&row, "text")?);
    Ok(Some(read(&row, &matches)?).filter(|_| !matches.is_empty()))
}

/// The index gives the newest first by itself, and stops where nothing more is asked of it.
async fn read_index(
    look: &mut SqliteConnection,
    wanted: &Wanted<'_>,
    indexed: i64,
    hits: &mut Vec<Hit>,
) -> Result<(), StoreError> {
    let missing = (wanted.limit as usize + 1).saturating_sub(hits.len());
    let Some(expression) = expression(look, wanted.query, wanted.conversation).await? else {
        return Ok(());
    };
    let rows = sqlx::query(
        "SELECT m.id, m.message_id, m.sender, m.timestamp_ms, m.text, c.kind, c.peer
         FROM search s CROSS JOIN messages m ON m.id = s.rowid CROSS JOIN conversations c ON c.id = m.conversation
         WHERE s.search MATCH ? AND s.rowid < ? ORDER BY s.rowid DESC LIMIT ?",
    )
    .bind(expression)
    .bind(wanted.before.unwrap_or(i64::MAX).min(indexed + 1))
    .bind(i64::try_from(missing).unwrap_or(i64::MAX))
    .fetch_all(look)
    .await?;
    for row in &rows {
        let matches = wanted.query.matches(text(row, "text")?);
        hits.push(read(row, &matches)?);
    }
    Ok(())
}

fn read(row: &SqliteRow, matches: &[(usize, usize)]) -> Result<Hit, StoreError> {
    Ok(Hit {
        row: row.try_get("id")?,
        message_id: MessageId::from_bytes(bytes(row, "message_id")?),
        conversation: conversations::read(row)?,
        sender: parsed(row, "sender")?,
        timestamp_ms: uint(row, "timestamp_ms")?,
        snippet: cut_out(text(row, "text")?, matches),
    })
}

#[cfg(test)]
mod tests;
