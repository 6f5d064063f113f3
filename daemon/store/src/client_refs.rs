//! The callers' own references to what they sent (D20).

use connect_proto::hash::Digest;
use connect_proto::ids::MessageId;
use sqlx::Row as _;

use crate::database::Tx;
use crate::error::StoreError;
use crate::place::MessageRow;
use crate::row::bytes;

/// What a caller's reference was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientRef {
    pub message: MessageRow,
    pub message_id: MessageId,
    /// Of the content that was sent under it.
    pub digest: Digest,
}

/// Looked up inside the transaction that would use the reference, so that no two calls can.
pub async fn find(
    tx: &mut Tx,
    app: &str,
    client_ref: &str,
) -> Result<Option<ClientRef>, StoreError> {
    let row = sqlx::query(
        "SELECT r.digest, r.message, m.message_id FROM client_refs r JOIN messages m ON m.id = r.message
         WHERE r.app = ? AND r.client_ref = ?",
    )
    .bind(app)
    .bind(client_ref)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(ClientRef {
            message: MessageRow(row.try_get("message")?),
            message_id: MessageId::from_bytes(bytes(&row, "message_id")?),
            digest: bytes(&row, "digest")?,
        })
    })
    .transpose()
}
