//! Taking single recipients out of what goes to several: each goes on in a line of its own (D18, D25).

use connect_proto::ids::UserId;
use sqlx::Row as _;

use crate::codes::StateReason;
use crate::conversations::ConversationRow;
use crate::database::Tx;
use crate::error::StoreError;
use crate::lanes;
use crate::outbox::{Freight, OutboxRow};

/// What a recipient who has to wait is to get later.
pub(crate) async fn add_waiting(
    tx: &mut Tx,
    conversation: ConversationRow,
    freight: Freight,
    waiting: impl Iterator<Item = (&UserId, StateReason)>,
) -> Result<(), StoreError> {
    let (message, control) = freight.columns();
    for (user_id, reason) in waiting {
        let lane = lanes::ensure(tx, conversation, user_id).await?;
        sqlx::query(
            "INSERT INTO outbox (conversation, lane, recipients, message, control, stale, hold)
             VALUES (?, ?, json_array(?), ?, ?, 1, ?)",
        )
        .bind(conversation.0)
        .bind(lane.0)
        .bind(user_id.as_str())
        .bind(message)
        .bind(control)
        .bind(reason.word())
        .execute(tx.connection())
        .await?;
    }
    Ok(())
}

/// Of a row that goes to several, these recipients go on each alone, to be sealed when their turn comes; the row itself
/// goes to the others, sealed anew.
pub async fn part(tx: &mut Tx, row: OutboxRow, users: &[UserId]) -> Result<(), StoreError> {
    let users = lanes::json(users.iter());
    sqlx::query(
        "INSERT INTO lanes (conversation, user_id) SELECT o.conversation, u.value FROM outbox o JOIN json_each(?) u
         WHERE o.id = ? ON CONFLICT DO NOTHING;
         INSERT INTO outbox (conversation, lane, recipients, message, control, stale, resealed, resend, attempts)
         SELECT o.conversation, -l.id, json_array(l.user_id), o.message, o.control, 1,
             o.resealed OR o.envelope IS NOT NULL, o.resend, o.attempts
         FROM outbox o JOIN json_each(o.recipients) r JOIN json_each(?) u ON u.value = r.value
             JOIN lanes l ON l.conversation = o.conversation AND l.user_id = r.value
         WHERE o.id = ? ORDER BY r.key ON CONFLICT DO NOTHING;
         UPDATE outbox SET stale = 1, recipients = (
             SELECT json_group_array(r.value) FROM json_each(outbox.recipients) r
             WHERE r.value NOT IN (SELECT u.value FROM json_each(?) u))
         WHERE id = ?;
         DELETE FROM outbox WHERE id = ? AND recipients = '[]'",
    )
    .bind(&users)
    .bind(row.0)
    .bind(&users)
    .bind(row.0)
    .bind(&users)
    .bind(row.0)
    .bind(row.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What goes to several, this user among them: everywhere, or in one conversation.
pub async fn list_with(
    tx: &mut Tx,
    conversation: Option<ConversationRow>,
    user_id: &UserId,
) -> Result<Vec<OutboxRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT id FROM outbox WHERE recipients IS NOT NULL AND lane > 0
             AND EXISTS (SELECT 1 FROM json_each(recipients) r WHERE r.value = ?1)
             AND (?2 IS NULL OR conversation = ?2)
         ORDER BY id",
    )
    .bind(user_id.as_str())
    .bind(conversation.map(|row| row.0))
    .fetch_all(tx.connection())
    .await?;
    rows.iter()
        .map(|row| Ok(OutboxRow(row.try_get("id")?)))
        .collect()
}

/// A recipient has another key: the row is sealed anew.
pub async fn make_stale(tx: &mut Tx, row: OutboxRow) -> Result<(), StoreError> {
    sqlx::query("UPDATE outbox SET stale = 1 WHERE id = ?")
        .bind(row.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}
