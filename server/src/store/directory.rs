//! The key directory (§2.1.2, §5.3): profiles and bundles, old ones included; of deleted users only the keys: what they signed is still
//! verified by whoever reads it later.

use connect_proto::ids::UserId;
use connect_proto::{routes, wire};
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use super::writer::Tx;
use super::{signed, unsigned};

/// The entries of those who are enrolled, each with its newest keys first.
pub(crate) async fn entries(
    executor: impl SqliteExecutor<'_>,
    users: &[UserId],
) -> Result<Vec<wire::DirectoryEntry>, sqlx::Error> {
    find(executor, users, false).await
}

/// As `entries`, and those whose account was deleted, with no key in use and no profile.
pub(crate) async fn entries_even_if_deleted(
    executor: impl SqliteExecutor<'_>,
    users: &[UserId],
) -> Result<Vec<wire::DirectoryEntry>, sqlx::Error> {
    find(executor, users, true).await
}

/// What a bundle of this user must follow on.
pub(crate) async fn entry_even_if_deleted(
    tx: &mut Tx,
    user: &UserId,
) -> Result<Option<wire::DirectoryEntry>, sqlx::Error> {
    let mut entries = find(&mut tx.connection, std::slice::from_ref(user), true).await?;
    Ok(entries.pop())
}

async fn find(
    executor: impl SqliteExecutor<'_>,
    users: &[UserId],
    deleted_too: bool,
) -> Result<Vec<wire::DirectoryEntry>, sqlx::Error> {
    let asked: Vec<_> = users.iter().map(UserId::as_str).collect();
    let rows = sqlx::query(
        "SELECT u.user_id, u.display_name, u.profession, u.organisation, u.attested,
                b.revision, b.state, b.changed_ms, b.bundle, b.signature, b.previous_signature
         FROM json_each(?) j
         JOIN users u ON u.user_id = j.value AND (u.state <> 1 OR ?)
         JOIN bundles b ON b.user = u.id
              AND b.revision > (SELECT max(revision) FROM bundles WHERE user = u.id) - ?
         ORDER BY j.key, b.revision DESC",
    )
    .bind(json!(asked).to_string())
    .bind(deleted_too)
    .bind(signed(routes::MAX_PUBLISHED_KEYS as u64))
    .fetch_all(executor)
    .await?;
    let mut entries: Vec<wire::DirectoryEntry> = Vec::new();
    for row in rows {
        let user_id: &str = row.try_get(0)?;
        if entries.last().is_none_or(|last| last.user_id != user_id) {
            entries.push(entry(&row)?);
        }
        if let Some(last) = entries.last_mut() {
            last.keys.push(published_key(&row)?);
        }
    }
    Ok(entries)
}

fn entry(row: &SqliteRow) -> Result<wire::DirectoryEntry, sqlx::Error> {
    Ok(wire::DirectoryEntry {
        user_id: row.try_get(0)?,
        profile: Some(wire::Profile {
            display_name: row.try_get(1)?,
            profession: row.try_get(2)?,
            organisation: row.try_get(3)?,
        }),
        attested: row.try_get(4)?,
        revision: unsigned(row.try_get(5)?),
        keys: Vec::new(),
    })
}

fn published_key(row: &SqliteRow) -> Result<wire::PublishedKey, sqlx::Error> {
    Ok(wire::PublishedKey {
        state: row.try_get(6)?,
        changed_ms: unsigned(row.try_get(7)?),
        bundle: Some(wire::SignedKeyBundle {
            bundle: row.try_get(8)?,
            signature: row.try_get(9)?,
            previous_signature: row.try_get(10)?,
        }),
    })
}
