//! The lines in which things wait in the outbox: what goes to all of a conversation, and what one of its members waits for alone.

use connect_proto::ids::UserId;
use sqlx::Row as _;

use crate::codes::ConversationKind;
use crate::conversations::ConversationRow;
use crate::database::Tx;
use crate::error::StoreError;

/// What has the same lane goes out in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane(pub(crate) i64);

impl Lane {
    /// Of what goes to everyone in a conversation at once.
    pub const fn of_all(conversation: ConversationRow) -> Self {
        Self(conversation.0)
    }

    /// A single member's, in a conversation with a roster.
    pub const fn is_of_one(self) -> bool {
        self.0 < 0
    }
}

/// A member's own, in a conversation with a roster; made where there is none yet.
pub async fn ensure(
    tx: &mut Tx,
    conversation: ConversationRow,
    user_id: &UserId,
) -> Result<Lane, StoreError> {
    let row = sqlx::query(
        "INSERT INTO lanes (conversation, user_id) VALUES (?, ?)
         ON CONFLICT (conversation, user_id) DO UPDATE SET user_id = excluded.user_id RETURNING -id AS lane",
    )
    .bind(conversation.0)
    .bind(user_id.as_str())
    .fetch_one(tx.connection())
    .await?;
    Ok(Lane(row.try_get("lane")?))
}

/// Every line in which something for this user alone may stand: of the conversation with the user, and in those that
/// have a roster.
pub async fn list_of(tx: &mut Tx, user_id: &UserId) -> Result<Vec<Lane>, StoreError> {
    let rows = sqlx::query(
        "SELECT id AS lane FROM conversations WHERE kind = ?1 AND peer = ?2
         UNION ALL SELECT -id FROM lanes WHERE user_id = ?2",
    )
    .bind(ConversationKind::User.word())
    .bind(user_id.as_str())
    .fetch_all(tx.connection())
    .await?;
    rows.iter()
        .map(|row| Ok(Lane(row.try_get("lane")?)))
        .collect()
}

/// As JSON; what a user id may consist of needs no escapes.
pub(crate) fn json<'a>(users: impl Iterator<Item = &'a UserId>) -> String {
    format!("{:?}", users.map(UserId::as_str).collect::<Vec<_>>())
}
