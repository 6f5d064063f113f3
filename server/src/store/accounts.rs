//! What operators see and mark of a user: the profile, and whether it was checked (§10.5).

use connect_proto::ids::UserId;
use connect_proto::wire;

use super::writer::Tx;
use super::{directory, signed};

/// As everybody sees it; none of somebody deleted.
pub(crate) async fn entry(
    tx: &mut Tx,
    user_id: &UserId,
) -> Result<Option<wire::DirectoryEntry>, sqlx::Error> {
    let user = std::slice::from_ref(user_id);
    Ok(directory::entries(&mut tx.connection, user).await?.pop())
}

/// With the entry that tells of it, or not any more; false where there is no such user.
pub(crate) async fn set_attested(
    tx: &mut Tx,
    user_id: &UserId,
    entry: Option<u64>,
) -> Result<bool, sqlx::Error> {
    let marked = sqlx::query(
        "UPDATE users SET attested = ?, attested_by_entry = ? WHERE user_id = ? AND state <> 1",
    )
    .bind(entry.is_some())
    .bind(entry.map(signed))
    .bind(user_id.as_str())
    .execute(&mut tx.connection)
    .await?;
    Ok(marked.rows_affected() > 0)
}
