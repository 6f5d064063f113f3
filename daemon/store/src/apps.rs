//! Paired apps: their names, scopes and the hashes of their tokens. A revoked one stays, without its hash.

use connect_core::token::TokenDigest;
use connect_proto::ids::AppId;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, optional_bytes, optional_uint, text, uint};

#[derive(Clone)]
pub struct App {
    pub app_id: AppId,
    pub name: String,
    /// The contract's words; a later version's may be among them.
    pub scopes: Vec<String>,
    /// The only user of the host who may use the token, where it was bound to one.
    pub uid: Option<u32>,
    /// None once it was revoked.
    pub digest: Option<TokenDigest>,
    pub created_ms: u64,
    pub revoked_ms: Option<u64>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({})", self.app_id)
    }
}

pub async fn add(tx: &mut Tx, app: &App) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO apps (app_id, name, scopes, uid, token_digest, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(app.app_id.to_vec())
    .bind(&app.name)
    .bind(app.scopes.join(" "))
    .bind(app.uid)
    .bind(app.digest.map(|digest| digest.as_bytes().to_vec()))
    .bind(int(app.created_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Returns whether there was such an app that had not been revoked.
pub async fn revoke(tx: &mut Tx, app_id: AppId, now_ms: u64) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE apps SET token_digest = NULL, revoked_ms = ? WHERE app_id = ? AND revoked_ms IS NULL",
    )
    .bind(int(now_ms))
    .bind(app_id.to_vec())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Those that may come in.
pub async fn live(store: &Store) -> Result<Vec<App>, StoreError> {
    let rows = sqlx::query("SELECT * FROM apps WHERE revoked_ms IS NULL ORDER BY id")
        .fetch_all(store.reader())
        .await?;
    rows.iter().map(read).collect()
}

/// All of them in the order in which they were paired, those after `after`.
pub async fn list(store: &Store, after: Option<AppId>, limit: u32) -> Result<Vec<App>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM apps WHERE ?1 IS NULL OR id > (SELECT id FROM apps WHERE app_id = ?1) ORDER BY id LIMIT ?2",
    )
    .bind(after.map(AppId::to_vec))
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &SqliteRow) -> Result<App, StoreError> {
    Ok(App {
        app_id: AppId::from_bytes(bytes(row, "app_id")?),
        name: text(row, "name")?.to_owned(),
        scopes: text(row, "scopes")?
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        uid: row.try_get("uid")?,
        digest: optional_bytes(row, "token_digest")?.map(TokenDigest::from_bytes),
        created_ms: uint(row, "created_ms")?,
        revoked_ms: optional_uint(row, "revoked_ms")?,
    })
}
