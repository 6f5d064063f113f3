//! What a database becomes that a new installation takes over from a backup.

use crate::database::Tx;
use crate::error::StoreError;
use crate::row::int;

/// Event ids begin so much higher: none of those that came after the backup is given twice.
pub const EVENTS_LEAP: u64 = 1 << 20;

/// What was numbered stays in the order of the installation that numbered it, and this one begins anew (D13). What was on
/// its way is sealed under the new keys and goes out under its own id, which whoever has it already takes for a repeat
/// (D12): it counts as tried, since the installation before may have sent it after the backup. Apps were paired with another machine: none comes in.
pub async fn take_over(tx: &mut Tx, now_ms: u64) -> Result<(), StoreError> {
    for statement in [
        "UPDATE controls SET installation_id = (SELECT installation_id FROM account) WHERE installation_id IS NULL",
        "UPDATE outbox SET stale = 1, attempts = 1, due_ms = 0",
        "UPDATE conversations SET last_sequence = 0",
        // The bytes of attachments are in no backup: what the relay has can be fetched again.
        "DELETE FROM attachments WHERE message IS NULL",
        "DELETE FROM attachment_chunks",
        "UPDATE attachments SET state = 'available' WHERE state IN ('ready', 'downloading')",
    ] {
        sqlx::query(statement).execute(tx.connection()).await?;
    }
    sqlx::query("UPDATE apps SET token_digest = NULL, revoked_ms = ? WHERE revoked_ms IS NULL")
        .bind(int(now_ms))
        .execute(tx.connection())
        .await?;
    sqlx::query("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'events'")
        .bind(int(EVENTS_LEAP))
        .execute(tx.connection())
        .await?;
    give_uploads_up(tx, now_ms).await
}

/// Of what was on its way to the relay nothing is left that could be sent: its message does not go out, and says so. The
/// installation before may have brought it there all the same: a receipt tells, and nobody is told that it was taken back.
async fn give_uploads_up(tx: &mut Tx, now_ms: u64) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM outbox WHERE message IN (SELECT message FROM attachments WHERE state = 'uploading');
         INSERT INTO events (at_ms, kind, conversation, user_id, message_id, state, reason)
         SELECT ?, 'message_state', m.conversation, r.user_id, m.message_id, 'failed', 'withdrawn'
         FROM attachments a JOIN messages m ON m.id = a.message JOIN recipients r ON r.message = m.id
         WHERE a.state = 'uploading' AND r.state IN ('queued', 'held');
         UPDATE recipients SET state = 'failed', reason = 'withdrawn', changed_ms = ?
         WHERE state IN ('queued', 'held')
             AND message IN (SELECT message FROM attachments WHERE state = 'uploading');
         UPDATE attachments SET state = 'failed', reason = 'file_damaged', changed_ms = ?, sent = 1 WHERE state = 'uploading'",
    )
    .bind(int(now_ms))
    .bind(int(now_ms))
    .bind(int(now_ms))
    .execute(tx.connection())
    .await?;
    Ok(())
}
