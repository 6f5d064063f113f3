//! The operators' log (§10.6): append-only, each entry chained to all before it and signed by the relay.

use connect_proto::hash::{Digest, sha256};
use connect_proto::sign::Purpose;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::writer::Tx;
use super::{signed, unsigned};
use crate::secret::RelaySecret;

const LABEL: &[u8] = b"connect-relay/operator-log/v1\0";
/// Entries of one answer.
const PAGE: u32 = 500;

/// What was ordered, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    pub seq: u64,
    pub at_ms: u64,
    /// The credential's name, `host`, `relay`, or `uid-N` for someone without one.
    pub operator: String,
    pub order: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The credential that was added or removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What waits, or waited, for a second operator, and who proposed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<String>,
    /// `done`, `pending`, or `refused: WORD`.
    pub outcome: String,
}

/// An entry as it lies there.
#[derive(Debug, Clone, Serialize)]
pub struct Written {
    pub seq: u64,
    /// JSON, exactly the text that was chained.
    pub entry: String,
    #[serde(with = "hex")]
    pub digest: Vec<u8>,
    #[serde(with = "hex")]
    pub signature: Vec<u8>,
}

/// The newest entry. Whoever keeps it elsewhere can tell later that nothing before it was changed or cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub seq: u64,
    /// 64 lower-case hex digits.
    pub digest: String,
}

impl Written {
    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: unsigned(row.try_get(0)?),
            entry: row.try_get(1)?,
            digest: row.try_get(2)?,
            signature: row.try_get(3)?,
        })
    }
}

/// The number of the next entry. None is given twice, so that a hole shows.
pub(crate) async fn next_seq(tx: &mut Tx) -> Result<u64, sqlx::Error> {
    let last: i64 = sqlx::query_scalar(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'operator_log'), 0),
                    coalesce((SELECT max(seq) FROM operator_log), 0))",
    )
    .fetch_one(&mut tx.connection)
    .await?;
    Ok(unsigned(last) + 1)
}

/// To be called in the transaction of what the entry tells of.
pub(crate) async fn append(
    tx: &mut Tx,
    secret: &RelaySecret,
    entry: &Entry,
) -> Result<Head, sqlx::Error> {
    let previous: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT digest FROM operator_log ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut tx.connection)
            .await?;
    let text = serde_json::to_string(entry).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let digest = chained(&previous.unwrap_or_default(), &text);
    let signature = secret.operations.sign(Purpose::OperatorLog, &digest);
    sqlx::query("INSERT INTO operator_log (seq, entry, digest, signature) VALUES (?, ?, ?, ?)")
        .bind(signed(entry.seq))
        .bind(text)
        .bind(digest.as_slice())
        .bind(signature.as_slice())
        .execute(&mut tx.connection)
        .await?;
    Ok(Head {
        seq: entry.seq,
        digest: hex::encode(digest),
    })
}

/// SHA-256 over the digest before (nothing for the first entry) and the entry's text.
pub(super) fn chained(previous: &[u8], entry: &str) -> Digest {
    sha256(&[LABEL, previous, entry.as_bytes()].concat())
}

/// The next entries behind one.
pub(crate) async fn page(
    connection: &mut SqliteConnection,
    after: u64,
) -> Result<Vec<Written>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT seq, entry, digest, signature FROM operator_log WHERE seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(signed(after))
    .bind(PAGE)
    .fetch_all(connection)
    .await?;
    rows.iter().map(Written::read).collect()
}
