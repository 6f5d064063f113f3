//! Enrollment codes (D28): issued once, used once.

use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use sqlx::{Row as _, SqliteConnection};

use super::{signed, unsigned};
use crate::limits::CODE_LIFETIME_MS;

/// What became of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodeState {
    Open,
    /// Used for the bundle with this digest.
    UsedFor(Vec<u8>),
}

pub(crate) async fn add(
    connection: &mut SqliteConnection,
    hash: &Digest,
    user: &UserId,
    now_ms: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO codes (hash, user_id, expires_ms) VALUES (?, ?, ?)")
        .bind(hash.as_slice())
        .bind(user.as_str())
        .bind(signed(now_ms.saturating_add(CODE_LIFETIME_MS)))
        .execute(connection)
        .await?;
    Ok(())
}

/// A code that was issued for this user and is still good for something.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    hash: &Digest,
    user: &UserId,
    now_ms: u64,
) -> Result<Option<CodeState>, sqlx::Error> {
    let row = sqlx::query("SELECT expires_ms, used_for FROM codes WHERE hash = ? AND user_id = ?")
        .bind(hash.as_slice())
        .bind(user.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(match row.try_get(1)? {
        Some(used_for) => Some(CodeState::UsedFor(used_for)),
        None => (unsigned(row.try_get(0)?) > now_ms).then_some(CodeState::Open),
    })
}

pub(super) async fn mark_used(
    connection: &mut SqliteConnection,
    hash: &Digest,
    bundle: &Digest,
    now_ms: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE codes SET used_ms = ?, used_for = ? WHERE hash = ?")
        .bind(signed(now_ms))
        .bind(bundle.as_slice())
        .bind(hash.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// Those that this user has not used yet are good for nothing any more.
pub(super) async fn withdraw(
    connection: &mut SqliteConnection,
    user: &UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM codes WHERE user_id = ? AND used_for IS NULL")
        .bind(user.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// A day after its expiry nobody repeats an enrollment any more.
pub(super) async fn purge(
    connection: &mut SqliteConnection,
    now_ms: u64,
) -> Result<u64, sqlx::Error> {
    let purged = sqlx::query("DELETE FROM codes WHERE expires_ms <= ?")
        .bind(signed(now_ms.saturating_sub(CODE_LIFETIME_MS)))
        .execute(connection)
        .await?;
    Ok(purged.rows_affected())
}
