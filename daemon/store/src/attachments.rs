//! Attachments: what of them travels in the box, how far they are, and which chunks are done (D15).

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use connect_core::attachment::Attachment;
use connect_core::secret::AttachmentKey;
use connect_proto::hash::Digest;
use connect_proto::ids::{AttachmentId, MessageId, UserId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use crate::codes::{AttachmentReason, AttachmentState};
use crate::conversations::ConversationRow;
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::files::FileName;
use crate::place::MessageRow;
use crate::row::{bytes, int, optional_bytes, optional_text, parsed, text, uint};

pub mod transfers;

/// An attachment's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttachmentRow(pub(crate) i64);

/// One life of an attachment's bytes here: a row's number may be given again, and what was dropped be fetched anew. The
/// name of a file is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life {
    pub row: AttachmentRow,
    pub file: FileName,
}

/// An attachment as it is worked with.
#[derive(Clone)]
pub struct Stored {
    pub row: AttachmentRow,
    /// Without its caption, which is the message's text. Until it is sealed, the digest says nothing.
    pub said: Attachment,
    pub outgoing: bool,
    /// Who began it; empty for one that came in.
    pub app: String,
    pub file: FileName,
    pub state: AttachmentState,
    pub reason: Option<AttachmentReason>,
    /// The relay knows of it.
    pub created: bool,
    /// All of it got there once.
    pub sent: bool,
    /// The message that names it.
    pub message: Option<(MessageRow, MessageId, ConversationRow)>,
}

impl Stored {
    pub fn life(&self) -> Life {
        Life {
            row: self.row,
            file: self.file,
        }
    }

    /// One of ours that did not get to the relay, and will not.
    pub fn was_given_up(&self) -> bool {
        let is_over = matches!(
            self.state,
            AttachmentState::Failed | AttachmentState::Cancelled
        );
        self.outgoing && !self.sent && is_over
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({}, {:?})", self.said.id, self.state)
    }
}

/// What a message shows of its attachment.
#[derive(Clone, PartialEq, Eq)]
pub struct Attached {
    pub attachment_id: AttachmentId,
    pub filename: String,
    pub media_type: String,
    pub size: u64,
    pub has_thumbnail: bool,
    pub state: AttachmentState,
    pub reason: Option<AttachmentReason>,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attached({})", self.attachment_id)
    }
}

impl From<Stored> for Attached {
    fn from(stored: Stored) -> Self {
        Self {
            attachment_id: stored.said.id,
            has_thumbnail: !stored.said.thumbnail.is_empty(),
            filename: stored.said.filename,
            media_type: stored.said.media_type,
            size: stored.said.plaintext_size,
            state: stored.state,
            reason: stored.reason,
        }
    }
}

/// One to store.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    pub said: &'a Attachment,
    pub message: Option<MessageRow>,
    /// None for one that came in.
    pub app: Option<&'a str>,
    pub file: FileName,
    pub state: AttachmentState,
    pub reason: Option<AttachmentReason>,
    pub now_ms: u64,
}

pub async fn add(tx: &mut Tx, new: New<'_>) -> Result<AttachmentRow, StoreError> {
    let digest = (new.state != AttachmentState::Incomplete).then_some(new.said.ciphertext_digest);
    let done = sqlx::query(
        "INSERT INTO attachments (attachment_id, message, outgoing, app, key, chunk_count, size, digest, media_type,
             filename, thumbnail, file, state, reason, changed_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(new.said.id.to_vec())
    .bind(new.message.map(|row| row.0))
    .bind(new.app.is_some())
    .bind(new.app.unwrap_or_default())
    .bind(new.said.key.expose().as_slice())
    .bind(new.said.chunk_count)
    .bind(int(new.said.plaintext_size))
    .bind(digest.map(|digest| digest.to_vec()))
    .bind(&new.said.media_type)
    .bind(&new.said.filename)
    .bind(new.said.thumbnail.as_slice())
    .bind(new.file.0.as_slice())
    .bind(new.state.word())
    .bind(new.reason.map(AttachmentReason::word))
    .bind(int(new.now_ms))
    .execute(tx.connection())
    .await?;
    let row = AttachmentRow(done.last_insert_rowid());
    if let Some(message) = new.message {
        note_in_message(tx, message).await?;
        withdraw_if_deleted(tx, message).await?;
    }
    Ok(row)
}

/// Its author's word that the message is taken back may come before the message.
async fn withdraw_if_deleted(tx: &mut Tx, message: MessageRow) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT deleted_ms IS NOT NULL AS deleted FROM messages WHERE id = ?")
        .bind(message.0)
        .fetch_one(tx.connection())
        .await?;
    if row.try_get("deleted")? {
        withdraw(tx, message).await?;
    }
    Ok(())
}

async fn note_in_message(tx: &mut Tx, message: MessageRow) -> Result<(), StoreError> {
    sqlx::query("UPDATE messages SET has_attachment = 1 WHERE id = ?")
        .bind(message.0)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// All of it is sealed and durable. False where it was given up meanwhile.
pub async fn seal(
    tx: &mut Tx,
    life: Life,
    digest: &Digest,
    thumbnail: &[u8],
    now_ms: u64,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE attachments SET state = 'sealed', digest = ?, thumbnail = ?, changed_ms = ?
         WHERE id = ? AND file = ? AND state = 'incomplete'",
    )
    .bind(digest.as_slice())
    .bind(thumbnail)
    .bind(int(now_ms))
    .bind(life.row.0)
    .bind(life.file.0.as_slice())
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A message names it: from here on it is on its way to the relay.
pub async fn name_in(
    tx: &mut Tx,
    row: AttachmentRow,
    message: MessageRow,
    now_ms: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE attachments SET message = ?, state = 'uploading', changed_ms = ? WHERE id = ? AND state = 'sealed'",
    )
    .bind(message.0)
    .bind(int(now_ms))
    .bind(row.0)
    .execute(tx.connection())
    .await?;
    note_in_message(tx, message).await
}

const COLUMNS: &str = "SELECT a.*, m.message_id, m.conversation
     FROM attachments a LEFT JOIN messages m ON m.id = a.message ";

/// Our own where a sender chose the same id; otherwise the first one stored.
pub async fn find(store: &Store, id: AttachmentId) -> Result<Option<Stored>, StoreError> {
    find_with(store.reader(), id).await
}

pub async fn find_in(tx: &mut Tx, id: AttachmentId) -> Result<Option<Stored>, StoreError> {
    find_with(tx.connection(), id).await
}

/// As it is by now; none where its row is another's, or its bytes are others.
pub async fn find_again(store: &Store, life: Life) -> Result<Option<Stored>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(select(
        " WHERE a.id = ? AND a.file = ?",
    )))
    .bind(life.row.0)
    .bind(life.file.0.as_slice())
    .fetch_optional(store.reader())
    .await?;
    row.as_ref().map(read).transpose()
}

async fn find_with(
    executor: impl SqliteExecutor<'_>,
    id: AttachmentId,
) -> Result<Option<Stored>, StoreError> {
    let query = select(" WHERE a.attachment_id = ? ORDER BY a.outgoing DESC, a.id LIMIT 1");
    let row = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(id.to_vec())
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(read).transpose()
}

pub(crate) fn select(rest: &str) -> String {
    format!("{COLUMNS}{rest}")
}

/// Those of some messages, by a condition with one place to bind.
pub(crate) async fn select_all(
    executor: impl SqliteExecutor<'_>,
    rest: &'static str,
    bound: i64,
) -> Result<Vec<Stored>, StoreError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(select(rest)))
        .bind(bound)
        .fetch_all(executor)
        .await?;
    rows.iter().map(read).collect()
}

/// The attachment of a message, as it was said.
pub async fn find_of(tx: &mut Tx, message: MessageRow) -> Result<Option<Stored>, StoreError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(select(" WHERE a.message = ?")))
        .bind(message.0)
        .fetch_optional(tx.connection())
        .await?;
    row.as_ref().map(read).transpose()
}

/// What a message shows of its attachment; nothing once it was taken back.
pub(crate) async fn find_attached(
    executor: impl SqliteExecutor<'_>,
    message: MessageRow,
) -> Result<Option<Attached>, StoreError> {
    let row = sqlx::query(
        "SELECT a.attachment_id, a.filename, a.media_type, a.size, a.state, a.reason,
             length(a.thumbnail) > 0 AS has_thumbnail
         FROM attachments a JOIN messages m ON m.id = a.message WHERE a.message = ? AND m.deleted_ms IS NULL",
    )
    .bind(message.0)
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(attached).transpose()
}

fn attached(row: &SqliteRow) -> Result<Attached, StoreError> {
    Ok(Attached {
        attachment_id: AttachmentId::from_bytes(bytes(row, "attachment_id")?),
        filename: text(row, "filename")?.to_owned(),
        media_type: text(row, "media_type")?.to_owned(),
        size: uint(row, "size")?,
        has_thumbnail: row.try_get("has_thumbnail")?,
        state: AttachmentState::read(text(row, "state")?)?,
        reason: reason(row)?,
    })
}

fn reason(row: &SqliteRow) -> Result<Option<AttachmentReason>, StoreError> {
    optional_text(row, "reason")?
        .map(AttachmentReason::read)
        .transpose()
}

pub(crate) fn read_life(row: &SqliteRow) -> Result<Life, StoreError> {
    Ok(Life {
        row: AttachmentRow(row.try_get("id")?),
        file: FileName(bytes(row, "file")?),
    })
}

pub(crate) fn read(row: &SqliteRow) -> Result<Stored, StoreError> {
    let key: [u8; 32] = bytes(row, "key")?;
    let message: Option<i64> = row.try_get("message")?;
    let message = match message {
        Some(message) => Some((
            MessageRow(message),
            MessageId::from_bytes(bytes(row, "message_id")?),
            ConversationRow(row.try_get("conversation")?),
        )),
        None => None,
    };
    Ok(Stored {
        row: AttachmentRow(row.try_get("id")?),
        said: Attachment {
            id: AttachmentId::from_bytes(bytes(row, "attachment_id")?),
            key: Arc::new(AttachmentKey::from_bytes(&key)),
            chunk_count: row.try_get("chunk_count")?,
            plaintext_size: uint(row, "size")?,
            ciphertext_digest: optional_bytes(row, "digest")?.unwrap_or_default(),
            media_type: text(row, "media_type")?.to_owned(),
            filename: text(row, "filename")?.to_owned(),
            caption: String::new(),
            thumbnail: row.try_get("thumbnail")?,
        },
        outgoing: row.try_get("outgoing")?,
        app: text(row, "app")?.to_owned(),
        file: FileName(bytes(row, "file")?),
        state: AttachmentState::read(text(row, "state")?)?,
        reason: reason(row)?,
        created: row.try_get("created")?,
        sent: row.try_get("sent")?,
        message,
    })
}

/// Whom the message that names it goes to: they may read it, and nobody else.
pub async fn list_readers(store: &Store, message: MessageRow) -> Result<Vec<UserId>, StoreError> {
    let rows = sqlx::query("SELECT user_id FROM recipients WHERE message = ? ORDER BY user_id")
        .bind(message.0)
        .fetch_all(store.reader())
        .await?;
    rows.iter().map(|row| parsed(row, "user_id")).collect()
}

/// Its author took the message back: nothing of it is shown, and the relay is asked to forget it where it is ours, and the copies
/// that we make of it for others, by and by.
pub(crate) async fn withdraw(tx: &mut Tx, message: MessageRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT OR IGNORE INTO attachment_removals (attachment_id)
         SELECT attachment_id FROM attachments WHERE message = ?1 AND outgoing;
         UPDATE case_copies_made SET withdrawn = 1 WHERE attachment_id IN
             (SELECT attachment_id FROM attachments WHERE message = ?1 AND reason IS NOT 'id_conflict');
         UPDATE attachments SET state = 'cancelled', reason = 'withdrawn', thumbnail = x'' WHERE message = ?1",
    )
    .bind(message.0)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Removes one that no message names.
pub async fn remove(tx: &mut Tx, life: Life) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM attachments WHERE id = ? AND file = ? AND message IS NULL")
        .bind(life.row.0)
        .bind(life.file.0.as_slice())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Removes those whose bytes stopped coming, and those that no message has named since `before_ms`.
pub async fn remove_abandoned(
    tx: &mut Tx,
    incomplete_too: bool,
    before_ms: u64,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM attachments WHERE message IS NULL
             AND ((state = 'incomplete' AND ?) OR (state <> 'incomplete' AND changed_ms < ?))",
    )
    .bind(incomplete_too)
    .bind(int(before_ms))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}

/// The files that belong to an attachment.
pub async fn list_files(store: &Store) -> Result<BTreeSet<FileName>, StoreError> {
    let rows = sqlx::query(
        "SELECT file FROM attachments
         WHERE state IN ('incomplete', 'sealed', 'uploading', 'downloading', 'ready')",
    )
    .fetch_all(store.reader())
    .await?;
    rows.iter()
        .map(|row| Ok(FileName(bytes(row, "file")?)))
        .collect()
}

/// Bytes that lie here, or that room is kept for.
pub async fn count_bytes(tx: &mut Tx) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(sum(size), 0) AS bytes FROM attachments
         WHERE state IN ('incomplete', 'sealed', 'uploading', 'downloading', 'ready')",
    )
    .fetch_one(tx.connection())
    .await?;
    uint(&row, "bytes")
}

/// Messages with attachments, newest first, as `find_attached` shows them.
pub async fn list(
    store: &Store,
    conversation: Option<ConversationRow>,
    before: Option<AttachmentId>,
    limit: u32,
) -> Result<Vec<(MessageId, Attached)>, StoreError> {
    let rows = sqlx::query(
        "SELECT m.message_id, a.attachment_id, a.filename, a.media_type, a.size, a.state, a.reason,
             length(a.thumbnail) > 0 AS has_thumbnail
         FROM attachments a JOIN messages m ON m.id = a.message
         WHERE m.deleted_ms IS NULL AND (?1 IS NULL OR m.conversation = ?1)
             AND (?2 IS NULL OR a.id < (SELECT max(b.id) FROM attachments b WHERE b.attachment_id = ?2))
         ORDER BY a.id DESC LIMIT ?3",
    )
    .bind(conversation.map(|row| row.0))
    .bind(before.map(AttachmentId::to_vec))
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    let one = |row| {
        let message_id = MessageId::from_bytes(bytes(row, "message_id")?);
        Ok((message_id, attached(row)?))
    };
    rows.iter().map(one).collect()
}
