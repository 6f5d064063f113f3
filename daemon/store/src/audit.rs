//! The audit log: entries chained by their hashes, so that one that is changed or missing shows.

use connect_core::pseudonym;
use connect_core::secret::PseudonymKey;
use connect_proto::hash::{Digest, sha256};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, optional_bytes, optional_text, text, uint};

/// Entries that are read at once.
const BATCH: u32 = 500;
/// What the first entry is chained to.
const BEGINNING: Digest = [0; 32];

/// What was done. Two that are equal may be counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deed {
    /// `owner` or an app's id; none where nobody had shown who it is.
    pub app: Option<String>,
    /// None where there were several.
    pub uid: Option<u32>,
    pub pid: Option<u32>,
    pub method: String,
    /// A pseudonym.
    pub object: Option<[u8; pseudonym::LEN]>,
    /// `ok`, or the name of an error.
    pub outcome: String,
}

/// How often something was done, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub first_ms: u64,
    pub last_ms: u64,
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2, 3 … without a hole.
    pub entry: u64,
    pub deed: Deed,
    pub tally: Tally,
    pub hash: Digest,
}

/// What the chain tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries hold, from the first one on.
    pub entries: u64,
    /// The hash of the last one that holds: whoever kept it elsewhere knows whether the log was rewritten as a whole.
    pub head: Digest,
    pub broken: Option<Broken>,
}

/// Where the chain breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It, or the one before it, is not what was written.
    Changed(u64),
    Missing(u64),
}

/// The key for pseudonyms: the one that is there, or from now on the given one.
pub async fn key(store: &Store, fresh: PseudonymKey) -> Result<PseudonymKey, StoreError> {
    let mut tx = store.begin().await?;
    let known = sqlx::query("SELECT pseudonym_key FROM audit_state")
        .fetch_optional(tx.connection())
        .await?;
    if let Some(row) = known {
        return Ok(PseudonymKey::from_bytes(&bytes(&row, "pseudonym_key")?));
    }
    sqlx::query(
        "INSERT INTO audit_state (one, pseudonym_key, last_entry, head) VALUES (1, ?, 0, ?)",
    )
    .bind(fresh.expose().as_slice())
    .bind(BEGINNING.as_slice())
    .execute(tx.connection())
    .await?;
    tx.commit().await?;
    Ok(fresh)
}

pub async fn append(tx: &mut Tx, deed: &Deed, tally: Tally) -> Result<(), StoreError> {
    let (last, head) = match *tx.audit_head() {
        Some(head) => head,
        None => read_head(tx).await?,
    };
    let entry = last + 1;
    let hash = hash(&head, entry, deed, tally);
    // One trip: nearly every call that writes makes it.
    sqlx::query(
        "INSERT INTO audit (entry, first_ms, last_ms, count, app, uid, pid, method, object, outcome, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
         UPDATE audit_state SET last_entry = ?, head = ?",
    )
    .bind(int(entry))
    .bind(int(tally.first_ms))
    .bind(int(tally.last_ms))
    .bind(int(tally.count))
    .bind(&deed.app)
    .bind(deed.uid)
    .bind(deed.pid)
    .bind(&deed.method)
    .bind(deed.object.map(|object| object.to_vec()))
    .bind(&deed.outcome)
    .bind(hash.as_slice())
    .bind(int(entry))
    .bind(hash.as_slice())
    .execute(tx.connection())
    .await?;
    *tx.audit_head() = Some((entry, hash));
    Ok(())
}

async fn read_head(tx: &mut Tx) -> Result<(u64, Digest), StoreError> {
    let state = sqlx::query("SELECT last_entry, head FROM audit_state")
        .fetch_one(tx.connection())
        .await?;
    Ok((uint(&state, "last_entry")?, bytes(&state, "head")?))
}

/// Those after `after`, oldest first.
pub async fn list(store: &Store, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
    rows(store, after, limit).await?.iter().map(read).collect()
}

async fn rows(store: &Store, after: u64, limit: u32) -> Result<Vec<SqliteRow>, StoreError> {
    let rows = sqlx::query("SELECT * FROM audit WHERE entry > ? ORDER BY entry LIMIT ?")
        .bind(int(after))
        .bind(limit)
        .fetch_all(store.reader())
        .await?;
    Ok(rows)
}

/// Reads the whole log and tells the first place where it does not hold.
pub async fn verify(store: &Store) -> Result<Verdict, StoreError> {
    // First: what is added meanwhile only makes the log longer.
    let state = sqlx::query("SELECT last_entry, head FROM audit_state")
        .fetch_optional(store.reader())
        .await?;
    let (last, head) = match &state {
        Some(row) => (uint(row, "last_entry")?, bytes(row, "head")?),
        None => (0, BEGINNING),
    };
    let mut verdict = Verdict {
        entries: 0,
        head: BEGINNING,
        broken: None,
    };
    loop {
        let batch = rows(store, verdict.entries, BATCH).await?;
        let is_end = batch.is_empty();
        for row in batch {
            let expected = verdict.entries + 1;
            // What cannot be read was not written here.
            let Ok(found) = read(&row) else {
                verdict.broken = Some(Broken::Changed(expected));
                return Ok(verdict);
            };
            if found.entry != expected {
                verdict.broken = Some(Broken::Missing(expected));
                return Ok(verdict);
            }
            let right = hash(&verdict.head, expected, &found.deed, found.tally);
            // The newest one has nothing behind it that would show what became of it.
            if found.hash != right || (expected == last && right != head) {
                verdict.broken = Some(Broken::Changed(expected));
                return Ok(verdict);
            }
            (verdict.entries, verdict.head) = (expected, right);
        }
        if is_end {
            break;
        }
    }
    if verdict.entries < last {
        verdict.broken = Some(Broken::Missing(verdict.entries + 1));
    }
    Ok(verdict)
}

/// Over every field, each with its length: no two entries have the same bytes.
fn hash(before: &Digest, entry: u64, deed: &Deed, tally: Tally) -> Digest {
    let mut content = before.to_vec();
    for number in [entry, tally.first_ms, tally.last_ms, tally.count] {
        content.extend(number.to_be_bytes());
    }
    for number in [deed.uid, deed.pid] {
        field(
            &mut content,
            number
                .map(u32::to_be_bytes)
                .as_ref()
                .map(<[u8; 4]>::as_slice),
        );
    }
    field(&mut content, deed.app.as_deref().map(str::as_bytes));
    field(&mut content, Some(deed.method.as_bytes()));
    field(
        &mut content,
        deed.object.as_ref().map(<[u8; pseudonym::LEN]>::as_slice),
    );
    field(&mut content, Some(deed.outcome.as_bytes()));
    sha256(&content)
}

fn field(content: &mut Vec<u8>, value: Option<&[u8]>) {
    content.push(u8::from(value.is_some()));
    let value = value.unwrap_or_default();
    content.extend((value.len() as u64).to_be_bytes());
    content.extend(value);
}

fn read(row: &SqliteRow) -> Result<Entry, StoreError> {
    Ok(Entry {
        entry: uint(row, "entry")?,
        deed: Deed {
            app: optional_text(row, "app")?.map(str::to_owned),
            uid: row.try_get("uid")?,
            pid: row.try_get("pid")?,
            method: text(row, "method")?.to_owned(),
            object: optional_bytes(row, "object")?,
            outcome: text(row, "outcome")?.to_owned(),
        },
        tally: Tally {
            first_ms: uint(row, "first_ms")?,
            last_ms: uint(row, "last_ms")?,
            count: uint(row, "count")?,
        },
        hash: bytes(row, "hash")?,
    })
}

#[cfg(test)]
mod tests;
