//! The fields of a case with their whole history; of two edits of one revision both are kept (D16).

use std::fmt;

use connect_core::case::field::Field;
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use super::CaseRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, parsed, text, uint};

/// A revision of a field, as it is read.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    pub name: String,
    pub revision: u64,
    pub digest: Digest,
    pub media_type: String,
    pub value: Vec<u8>,
    pub author: UserId,
    /// When its author says that it was written.
    pub written_ms: u64,
    pub stored_ms: u64,
    /// Another one was written beside it, and no later one has settled that.
    pub contested: bool,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({})", self.revision)
    }
}

/// What a revision came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// The newest one from now on.
    Newest,
    /// It was written beside another one, which its author did not know.
    Contested,
    Repeat,
    /// It follows on none that is known.
    Broken,
}

/// A revision to store.
#[derive(Debug, Clone, Copy)]
pub struct NewField<'a> {
    pub field: &'a Field,
    pub author: &'a UserId,
    pub written_ms: u64,
    pub stored_ms: u64,
}

/// Whether a revision is a field's first, or follows on one that is here.
pub async fn follows(tx: &mut Tx, case: CaseRow, field: &Field) -> Result<bool, StoreError> {
    let Some(previous) = field.previous else {
        return Ok(true);
    };
    let row = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM case_fields WHERE of_case = ? AND name = ? AND digest = ? AND revision = ?)
         AS follows",
    )
    .bind(case.0)
    .bind(&field.name)
    .bind(previous.as_slice())
    .bind(int(field.revision - 1))
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get("follows")?)
}

pub async fn add(tx: &mut Tx, case: CaseRow, new: NewField<'_>) -> Result<Added, StoreError> {
    let field = new.field;
    let digest = field.digest();
    let known = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM case_fields WHERE of_case = ?1 AND name = ?2 AND digest = ?3) AS repeat,
             coalesce((SELECT max(revision) FROM case_fields WHERE of_case = ?1 AND name = ?2), 0) AS newest",
    )
    .bind(case.0)
    .bind(&field.name)
    .bind(digest.as_slice())
    .fetch_one(tx.connection())
    .await?;
    if known.try_get("repeat")? {
        return Ok(Added::Repeat);
    }
    if !follows(tx, case, field).await? {
        return Ok(Added::Broken);
    }
    let newest = uint(&known, "newest")?;
    let is_newest = field.revision > newest;
    sqlx::query(
        "INSERT INTO case_fields (of_case, name, revision, digest, media_type, value, author, written_ms, stored_ms,
             contested)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(case.0)
    .bind(&field.name)
    .bind(int(field.revision))
    .bind(digest.as_slice())
    .bind(&field.media_type)
    .bind(field.value.as_slice())
    .bind(new.author.as_str())
    .bind(int(new.written_ms))
    .bind(int(new.stored_ms))
    .bind(!is_newest)
    .execute(tx.connection())
    .await?;
    settle_or_contest(tx, case, &field.name, field.revision, is_newest).await?;
    Ok(if is_newest {
        Added::Newest
    } else {
        Added::Contested
    })
}

/// A later revision settles what was contested; one beside another contests all of its number and after.
async fn settle_or_contest(
    tx: &mut Tx,
    case: CaseRow,
    name: &str,
    revision: u64,
    is_newest: bool,
) -> Result<(), StoreError> {
    let change = if is_newest {
        "UPDATE case_fields SET contested = 0 WHERE of_case = ? AND name = ? AND revision < ? AND contested"
    } else {
        "UPDATE case_fields SET contested = 1 WHERE of_case = ?1 AND name = ?2 AND revision >= ?3
             AND revision = (SELECT max(revision) FROM case_fields WHERE of_case = ?1 AND name = ?2)"
    };
    sqlx::query(change)
        .bind(case.0)
        .bind(name)
        .bind(int(revision))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The newest revision of each field, by name; with it whatever stands beside it. Of two with one number the first is that
/// which every participant takes for the newest.
pub async fn list(store: &Store, case: CaseRow) -> Result<Vec<Kept>, StoreError> {
    list_with(store.reader(), case).await
}

pub(crate) async fn list_with(
    executor: impl SqliteExecutor<'_>,
    case: CaseRow,
) -> Result<Vec<Kept>, StoreError> {
    let rows = sqlx::query(
        "SELECT f.* FROM case_fields f
         WHERE f.of_case = ?1 AND (f.contested OR f.revision =
             (SELECT max(n.revision) FROM case_fields n WHERE n.of_case = f.of_case AND n.name = f.name))
         ORDER BY f.name, f.revision DESC, f.digest",
    )
    .bind(case.0)
    .fetch_all(executor)
    .await?;
    rows.iter().map(read).collect()
}

/// Every revision of a field, the oldest first.
pub async fn list_history(
    store: &Store,
    case: CaseRow,
    name: &str,
) -> Result<Vec<Kept>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM case_fields WHERE of_case = ? AND name = ? ORDER BY revision, digest",
    )
    .bind(case.0)
    .bind(name)
    .fetch_all(store.reader())
    .await?;
    rows.iter().map(read).collect()
}

/// The revision that the next one follows on.
pub async fn find_newest(
    tx: &mut Tx,
    case: CaseRow,
    name: &str,
) -> Result<Option<Kept>, StoreError> {
    newest_with(tx.connection(), case, name).await
}

async fn newest_with(
    executor: impl SqliteExecutor<'_>,
    case: CaseRow,
    name: &str,
) -> Result<Option<Kept>, StoreError> {
    let row = sqlx::query(
        "SELECT * FROM case_fields WHERE of_case = ? AND name = ? ORDER BY revision DESC, digest LIMIT 1",
    )
    .bind(case.0)
    .bind(name)
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(read).transpose()
}

/// How many fields a case has.
pub async fn count(tx: &mut Tx, case: CaseRow) -> Result<u64, StoreError> {
    let row =
        sqlx::query("SELECT count(DISTINCT name) AS fields FROM case_fields WHERE of_case = ?")
            .bind(case.0)
            .fetch_one(tx.connection())
            .await?;
    uint(&row, "fields")
}

fn read(row: &SqliteRow) -> Result<Kept, StoreError> {
    Ok(Kept {
        name: text(row, "name")?.to_owned(),
        revision: uint(row, "revision")?,
        digest: bytes(row, "digest")?,
        media_type: text(row, "media_type")?.to_owned(),
        value: row.try_get("value")?,
        author: parsed(row, "author")?,
        written_ms: uint(row, "written_ms")?,
        stored_ms: uint(row, "stored_ms")?,
        contested: row.try_get("contested")?,
    })
}
