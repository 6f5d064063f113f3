//! What lies in the mailboxes, read from the relay's database and never written.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

/// By user: the rows, or the relay's own count of them where that is higher.
pub(super) async fn mailboxes(database: &Path) -> Result<BTreeMap<String, u64>> {
    let mut connection = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true)
        .disable_statement_logging()
        .connect()
        .await?;
    let rows = sqlx::query(
        "SELECT u.user_id, max(coalesce(b.messages, 0),
             (SELECT count(*) FROM mailbox m WHERE m.slot >> 40 = u.id)) AS lying
         FROM users u LEFT JOIN mailboxes b ON b.user = u.id",
    )
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    rows.iter()
        .map(|row| {
            let lying: i64 = row.try_get("lying")?;
            Ok((row.try_get("user_id")?, u64::try_from(lying)?))
        })
        .collect()
}
