//! What was written before the account joined: it stands before all else, is read already, and is no news.

use connect_proto::ids::MessageId;
use sqlx::Row as _;

use crate::conversations::ConversationRow;
use crate::database::Tx;
use crate::error::StoreError;
use crate::new::NewMessage;
use crate::row::int;

/// The place before everything that a conversation has.
pub async fn first_place(tx: &mut Tx, conversation: ConversationRow) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(min(coalesce(place, id)), 1) - 1 AS place FROM messages WHERE conversation = ?",
    )
    .bind(conversation.0)
    .fetch_one(tx.connection())
    .await?;
    Ok(row.try_get("place")?)
}

/// Stores a message at a place of its own. False where there is something under its id already.
pub async fn add_message(
    tx: &mut Tx,
    new: &NewMessage<'_>,
    outgoing: bool,
    place: i64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms, installation_id,
             sequence, retired_key, text, reply_to, place)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(new.conversation.0)
    .bind(new.sender.as_str())
    .bind(new.message_id.as_bytes().as_slice())
    .bind(outgoing)
    .bind(int(new.timestamp_ms))
    .bind(int(new.stored_ms))
    .bind(new.installation_id.as_bytes().as_slice())
    .bind(int(new.sequence))
    .bind(new.retired_key)
    .bind(new.text)
    .bind(new.reply_to.map(MessageId::to_vec))
    .bind(place)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What had come by another way stands where the history has it, and not where it came.
pub async fn move_message(tx: &mut Tx, new: &NewMessage<'_>, place: i64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE messages SET place = ? WHERE conversation = ? AND sender = ? AND message_id = ?",
    )
    .bind(place)
    .bind(new.conversation.0)
    .bind(new.sender.as_str())
    .bind(new.message_id.as_bytes().as_slice())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The newest message of a conversation is the last one by its place, whatever was stored last.
pub async fn settle(tx: &mut Tx, conversation: ConversationRow) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE conversations SET last_message = coalesce((
             SELECT id FROM messages WHERE conversation = ?1
             ORDER BY coalesce(place, id) DESC, sequence DESC LIMIT 1), last_message)
         WHERE id = ?1",
    )
    .bind(conversation.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}
