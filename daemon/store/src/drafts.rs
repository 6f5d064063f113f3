//! What of ours was written, as it has to be sealed once more: the content that its id stands for (D12, D20).

use connect_core::attachment::Attachment;
use connect_proto::ids::{InstallationId, MessageId, UserId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::attachments::{self, Stored};
use crate::conversations::{self, Conversation};
use crate::database::Tx;
use crate::error::StoreError;
use crate::outbox::Freight;
use crate::place::MessageRow;
use crate::row::{bytes, optional_bytes, parsed, text, uint};

pub struct Draft {
    pub conversation: Conversation,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    /// Whose number the sequence is; none: this installation's.
    pub installation_id: Option<InstallationId>,
    pub sequence: u64,
    pub content: Content,
}

pub enum Content {
    /// The first text, whatever it was edited to since.
    Text {
        text: String,
        reply_to: Option<Reference>,
    },
    /// It was taken back, or its attachment never got to the relay: what it said is not sealed any more. Names itself.
    Withdrawn(Reference),
    /// With its first caption.
    Attachment(Box<Attachment>),
    /// An encoded payload.
    Control(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub sender: UserId,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({})", self.message_id)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Content(..)")
    }
}

pub async fn find(tx: &mut Tx, freight: Freight) -> Result<Option<Draft>, StoreError> {
    match freight {
        Freight::Message(row) => find_message(tx, row).await,
        Freight::Control(id) => find_control(tx, id).await,
    }
}

async fn find_message(tx: &mut Tx, message: MessageRow) -> Result<Option<Draft>, StoreError> {
    let row = sqlx::query(
        "SELECT m.message_id, m.timestamp_ms, m.installation_id, m.sequence, m.conversation, m.reply_to, m.has_attachment,
             m.sender, m.deleted_ms IS NOT NULL AS deleted, c.kind, c.peer, coalesce((SELECT v.text FROM versions v WHERE v.message = m.id AND v.number = 1), m.text) AS text
         FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.id = ?",
    )
    .bind(message.0)
    .fetch_optional(tx.connection())
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let attached = if row.try_get("has_attachment")? {
        attachments::find_of(tx, message).await?
    } else {
        None
    };
    if row.try_get("deleted")? || attached.as_ref().is_some_and(Stored::was_given_up) {
        let itself = Reference {
            sender: parsed(&row, "sender")?,
            message_id: MessageId::from_bytes(bytes(&row, "message_id")?),
            timestamp_ms: uint(&row, "timestamp_ms")?,
        };
        return Ok(Some(draft(&row, Content::Withdrawn(itself))?));
    }
    let reply_to = match optional_bytes(&row, "reply_to")?.map(MessageId::from_bytes) {
        Some(id) => find_reference(tx, row.try_get("conversation")?, id).await?,
        None => None,
    };
    let text = text(&row, "text")?.to_owned();
    if let Some(stored) = attached {
        let mut said = stored.said;
        said.caption = text;
        return Ok(Some(draft(&row, Content::Attachment(Box::new(said)))?));
    }
    Ok(Some(draft(&row, Content::Text { text, reply_to })?))
}

async fn find_reference(
    tx: &mut Tx,
    conversation: i64,
    message_id: MessageId,
) -> Result<Option<Reference>, StoreError> {
    let row = sqlx::query(
        "SELECT sender, timestamp_ms FROM messages WHERE message_id = ? AND conversation = ?
         ORDER BY id LIMIT 1",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(conversation)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(Reference {
            sender: parsed(&row, "sender")?,
            message_id,
            timestamp_ms: uint(&row, "timestamp_ms")?,
        })
    })
    .transpose()
}

async fn find_control(tx: &mut Tx, id: i64) -> Result<Option<Draft>, StoreError> {
    let row = sqlx::query(
        "SELECT o.message_id, o.timestamp_ms, o.installation_id, o.sequence, o.payload, c.kind, c.peer
         FROM controls o JOIN conversations c ON c.id = o.conversation WHERE o.id = ?",
    )
    .bind(id)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| draft(&row, Content::Control(row.try_get("payload")?)))
        .transpose()
}

fn draft(row: &SqliteRow, content: Content) -> Result<Draft, StoreError> {
    Ok(Draft {
        conversation: conversations::read(row)?,
        message_id: MessageId::from_bytes(bytes(row, "message_id")?),
        timestamp_ms: uint(row, "timestamp_ms")?,
        installation_id: optional_bytes(row, "installation_id")?.map(InstallationId::from_bytes),
        sequence: uint(row, "sequence")?,
        content,
    })
}
