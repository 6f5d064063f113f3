//! What of ours goes out, with all that goes with it: several rows, one trip to the database's thread.

use std::fmt;

use connect_proto::hash::Digest;
use connect_proto::ids::{InstallationId, MessageId, UserId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::codes::{EventKind, RecipientState, StateReason};
use crate::conversations::ConversationRow;
use crate::database::Tx;
use crate::error::StoreError;
use crate::lanes::{self, Lane};
use crate::new::NewMessage;
use crate::outbox::Freight;
use crate::place::MessageRow;
use crate::row::{bytes, int, uint};
use crate::{parting, recipients};

/// Whom something goes to, and why it has to wait where it does.
#[derive(Clone, Copy)]
pub struct To<'a> {
    pub user_id: &'a UserId,
    pub hold: Option<StateReason>,
}

/// To whom it goes.
#[derive(Debug, Clone, Copy)]
pub enum Recipients<'a> {
    /// The user whom the conversation is with.
    One(To<'a>),
    /// Of a conversation's roster; whoever has to wait does so alone.
    Several(&'a [To<'a>]),
}

/// A message to send: what is stored of it, and what goes to the relay.
#[derive(Clone)]
pub struct Outgoing<'a> {
    pub message: NewMessage<'a>,
    pub recipients: Recipients<'a>,
    /// The encoded envelope for all who need not wait; none where there is nobody like that.
    pub envelope: Option<&'a [u8]>,
    /// Whose `client_ref` the message's is.
    pub app: &'a str,
    pub client_ref: Option<&'a str>,
    /// Of the content that is sent under the `client_ref`.
    pub digest: &'a Digest,
}

/// What is sent without being a message to show: as it is kept, and as it goes to the relay.
#[derive(Debug, Clone, Copy)]
pub struct Control<'a> {
    pub conversation: ConversationRow,
    pub message_id: MessageId,
    pub timestamp_ms: u64,
    /// 0 where it stands outside of the order.
    pub sequence: u64,
    pub payload: &'a [u8],
    pub recipients: Recipients<'a>,
    /// As for a message.
    pub envelope: Option<&'a [u8]>,
}

impl fmt::Debug for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("To(..)")
    }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({})", self.message.message_id)
    }
}

impl To<'_> {
    fn state(&self) -> RecipientState {
        match self.hold {
            None => RecipientState::Queued,
            Some(_) => RecipientState::Held,
        }
    }
}

impl<'a> Recipients<'a> {
    /// How many rows of the outbox it comes to, and how many of them are held.
    pub fn count_rows(&self) -> (u64, u64) {
        let all = self.all();
        let held = all.iter().filter(|to| to.hold.is_some()).count();
        let together = usize::from(all.len() > held);
        ((held + together) as u64, held as u64)
    }

    fn all(&self) -> &[To<'a>] {
        match self {
            Self::One(to) => std::slice::from_ref(to),
            Self::Several(all) => all,
        }
    }

    fn waiting(&self) -> impl Iterator<Item = (&'a UserId, StateReason)> {
        let held = self.all().iter();
        held.filter_map(|to| Some((to.user_id, to.hold?)))
    }

    /// Of those who need not wait, as it stands in the outbox.
    fn ready_json(&self) -> String {
        let ready = self.all().iter().filter(|to| to.hold.is_none());
        lanes::json(ready.map(|to| to.user_id))
    }
}

/// Stores the message, puts it into the outbox and tells of it. Returns the newest event's id.
pub async fn add(tx: &mut Tx, new: &Outgoing<'_>) -> Result<u64, StoreError> {
    match new.recipients {
        Recipients::One(to) => add_for_one(tx, new, to).await,
        Recipients::Several(all) => add_for_several(tx, new, all).await,
    }
}

/// Up to the outbox, `last_insert_rowid()` is the message: the tables in between have no row ids. With several statements
/// only a bare `?` is bound in order.
async fn add_for_one(tx: &mut Tx, new: &Outgoing<'_>, to: To<'_>) -> Result<u64, StoreError> {
    let message = &new.message;
    let reason = to.hold.map(StateReason::word);
    let done = sqlx::query(
        "INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms,
             installation_id, sequence, retired_key, text, reply_to, client_ref)
         VALUES (?, ?, ?, TRUE, ?, ?, ?, ?, FALSE, ?, ?, ?);
         INSERT INTO recipients (message, user_id, state, reason, changed_ms)
         VALUES (last_insert_rowid(), ?, ?, ?, ?);
         INSERT INTO client_refs (app, client_ref, digest, message)
         SELECT ?, column1, ?, last_insert_rowid() FROM (VALUES (?)) WHERE column1 IS NOT NULL;
         INSERT INTO outbox (message, conversation, lane, envelope, stale, hold)
         VALUES (last_insert_rowid(), ?, ?, ?, ?, ?);
         INSERT INTO events (at_ms, kind, conversation, user_id, message_id, state, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    // messages
    .bind(message.conversation.0)
    .bind(message.sender.as_str())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(int(message.timestamp_ms))
    .bind(int(message.stored_ms))
    .bind(message.installation_id.as_bytes().as_slice())
    .bind(int(message.sequence))
    .bind(message.text)
    .bind(message.reply_to.map(MessageId::to_vec))
    .bind(new.client_ref)
    // recipients
    .bind(to.user_id.as_str())
    .bind(to.state().word())
    .bind(reason)
    .bind(int(message.stored_ms))
    // client_refs
    .bind(new.app)
    .bind(new.digest.as_slice())
    .bind(new.client_ref)
    // outbox
    .bind(message.conversation.0)
    .bind(message.conversation.0)
    .bind(new.envelope)
    .bind(to.hold.is_some())
    .bind(reason)
    // events
    .bind(int(message.stored_ms))
    .bind(EventKind::MessageState.word())
    .bind(message.conversation.0)
    .bind(to.user_id.as_str())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(to.state().word())
    .bind(reason)
    .execute(tx.connection())
    .await?;
    Ok(done.last_insert_rowid().unsigned_abs())
}

/// The same for as many as there are: a list travels as JSON.
async fn add_for_several(
    tx: &mut Tx,
    new: &Outgoing<'_>,
    all: &[To<'_>],
) -> Result<u64, StoreError> {
    let message = &new.message;
    let states = states(all);
    let done = sqlx::query(
        "INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms,
             installation_id, sequence, retired_key, text, reply_to, client_ref)
         VALUES (?, ?, ?, TRUE, ?, ?, ?, ?, FALSE, ?, ?, ?);
         INSERT INTO recipients (message, user_id, state, reason, changed_ms)
         SELECT last_insert_rowid(), value->>0, value->>1, value->>2, ? FROM json_each(?);
         INSERT INTO client_refs (app, client_ref, digest, message)
         SELECT ?, column1, ?, last_insert_rowid() FROM (VALUES (?)) WHERE column1 IS NOT NULL;
         INSERT INTO outbox (message, conversation, lane, recipients, envelope)
         SELECT last_insert_rowid(), column1, column1, column2, column3 FROM (VALUES (?, ?, ?))
         WHERE column3 IS NOT NULL;
         INSERT INTO events (at_ms, kind, conversation, message_id, user_id, state, reason)
         SELECT column1, column2, column3, column4, value->>0, value->>1, value->>2
         FROM (VALUES (?, ?, ?, ?)) JOIN json_each(?)",
    )
    // messages
    .bind(message.conversation.0)
    .bind(message.sender.as_str())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(int(message.timestamp_ms))
    .bind(int(message.stored_ms))
    .bind(message.installation_id.as_bytes().as_slice())
    .bind(int(message.sequence))
    .bind(message.text)
    .bind(message.reply_to.map(MessageId::to_vec))
    .bind(new.client_ref)
    // recipients
    .bind(int(message.stored_ms))
    .bind(&states)
    // client_refs
    .bind(new.app)
    .bind(new.digest.as_slice())
    .bind(new.client_ref)
    // outbox
    .bind(message.conversation.0)
    .bind(new.recipients.ready_json())
    .bind(new.envelope)
    // events
    .bind(int(message.stored_ms))
    .bind(EventKind::MessageState.word())
    .bind(message.conversation.0)
    .bind(message.message_id.as_bytes().as_slice())
    .bind(&states)
    .execute(tx.connection())
    .await?;
    let event = done.last_insert_rowid().unsigned_abs();
    if all.iter().any(|to| to.hold.is_some()) {
        let found = recipients::find_sent(tx, message.sender, message.message_id).await?;
        let sent = found.ok_or(StoreError::Inconsistent("messages"))?;
        let freight = Freight::Message(sent.row);
        let waiting = new.recipients.waiting();
        parting::add_waiting(tx, message.conversation, freight, waiting).await?;
    }
    Ok(event)
}

fn states(all: &[To<'_>]) -> String {
    let state = |to: &To<'_>| {
        let reason = to.hold.map(StateReason::word);
        serde_json::json!([to.user_id.as_str(), to.state().word(), reason])
    };
    let states: serde_json::Value = all.iter().map(state).collect();
    states.to_string()
}

/// Stores and queues what is no message to show.
pub async fn add_control(tx: &mut Tx, new: &Control<'_>) -> Result<(), StoreError> {
    let (recipients, hold) = match new.recipients {
        Recipients::One(to) => (None, to.hold),
        Recipients::Several(_) => (Some(new.recipients.ready_json()), None),
    };
    let is_several = recipients.is_some();
    sqlx::query(
        "INSERT INTO controls (conversation, message_id, timestamp_ms, sequence, payload) VALUES (?, ?, ?, ?, ?);
         INSERT INTO outbox (control, conversation, lane, recipients, envelope, stale, hold)
         SELECT last_insert_rowid(), column1, column1, column2, column3, column4, column5
         FROM (VALUES (?, ?, ?, ?, ?)) WHERE column3 IS NOT NULL OR column4",
    )
    .bind(new.conversation.0)
    .bind(new.message_id.as_bytes().as_slice())
    .bind(int(new.timestamp_ms))
    .bind(int(new.sequence))
    .bind(new.payload)
    .bind(new.conversation.0)
    .bind(recipients)
    .bind(new.envelope)
    .bind(hold.is_some())
    .bind(hold.map(StateReason::word))
    .execute(tx.connection())
    .await?;
    if is_several && new.recipients.waiting().next().is_some() {
        let row = sqlx::query("SELECT id FROM controls WHERE message_id = ?")
            .bind(new.message_id.as_bytes().as_slice())
            .fetch_one(tx.connection())
            .await?;
        let freight = Freight::Control(row.try_get("id")?);
        parting::add_waiting(tx, new.conversation, freight, new.recipients.waiting()).await?;
    }
    Ok(())
}

/// Queues something once more, to be sealed when its turn comes: for the user whom the conversation is with, or for one
/// of its roster. False where it is queued already.
pub async fn add_again(
    tx: &mut Tx,
    conversation: ConversationRow,
    member: Option<&UserId>,
    freight: Freight,
    hold: Option<StateReason>,
) -> Result<bool, StoreError> {
    let (message, control) = freight.columns();
    let lane = match member {
        Some(user_id) => lanes::ensure(tx, conversation, user_id).await?,
        None => Lane::of_all(conversation),
    };
    let done = sqlx::query(
        "INSERT INTO outbox (message, control, conversation, lane, recipients, stale, resend, hold)
         VALUES (?, ?, ?, ?, ?, 1, 1, ?) ON CONFLICT DO NOTHING",
    )
    .bind(message)
    .bind(control)
    .bind(conversation.0)
    .bind(lane.0)
    .bind(member.map(|user_id| lanes::json(std::iter::once(user_id))))
    .bind(hold.map(StateReason::word))
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Where something of ours stands in the order of the installation that wrote it (D13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    pub installation_id: InstallationId,
    pub sequence: u64,
}

/// Where something of ours was said.
pub async fn find_conversation(
    tx: &mut Tx,
    author: &UserId,
    message_id: MessageId,
) -> Result<Option<ConversationRow>, StoreError> {
    let row = sqlx::query(
        "SELECT conversation FROM messages WHERE message_id = ?1 AND sender = ?2 AND outgoing
         UNION ALL SELECT conversation FROM controls WHERE message_id = ?1",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(author.as_str())
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| Ok(ConversationRow(row.try_get("conversation")?)))
        .transpose()
}

/// The number of something of ours in its conversation, message or not; none of what stands outside of the order.
pub async fn find_sequence(
    tx: &mut Tx,
    conversation: ConversationRow,
    author: &UserId,
    message_id: MessageId,
) -> Result<Option<Numbered>, StoreError> {
    let row = sqlx::query(
        "SELECT installation_id, sequence FROM messages
         WHERE message_id = ?1 AND sender = ?2 AND conversation = ?3 AND outgoing
         UNION ALL
         SELECT coalesce(installation_id, (SELECT installation_id FROM account)), sequence FROM controls
         WHERE message_id = ?1 AND conversation = ?3 AND sequence > 0",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(author.as_str())
    .bind(conversation.0)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        Ok(Numbered {
            installation_id: InstallationId::from_bytes(bytes(&row, "installation_id")?),
            sequence: uint(&row, "sequence")?,
        })
    })
    .transpose()
}

/// What of ours has the numbers from `first` to `last` of an installation in a conversation, in their order. For a member
/// of a roster it is of the messages only those that went to that member.
pub async fn list_range(
    tx: &mut Tx,
    conversation: ConversationRow,
    member: Option<&UserId>,
    first: Numbered,
    last: u64,
    limit: u32,
) -> Result<Vec<Freight>, StoreError> {
    let rows = sqlx::query(
        "SELECT id AS message, NULL AS control, sequence FROM messages
         WHERE conversation = ?1 AND sequence BETWEEN ?2 AND ?3 AND outgoing AND installation_id = ?5
             AND (?6 IS NULL OR EXISTS (SELECT 1 FROM recipients r WHERE r.message = messages.id AND r.user_id = ?6))
         UNION ALL
         SELECT NULL, id, sequence FROM controls WHERE conversation = ?1 AND sequence BETWEEN ?2 AND ?3
             AND coalesce(installation_id, (SELECT installation_id FROM account)) = ?5
         ORDER BY sequence LIMIT ?4",
    )
    .bind(conversation.0)
    .bind(int(first.sequence))
    .bind(int(last))
    .bind(limit)
    .bind(first.installation_id.as_bytes().as_slice())
    .bind(member.map(UserId::as_str))
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(read_freight).collect()
}

/// What of ours in a case is on its way, or was taken by the relay since then, and is not known to have come to `user_id`:
/// the newest `limit`, in their order.
pub async fn list_in_flight(
    tx: &mut Tx,
    (conversation, user_id): (ConversationRow, &UserId),
    since_ms: u64,
    limit: u32,
) -> Result<Vec<Freight>, StoreError> {
    let rows = sqlx::query(
        "SELECT m.id AS message, c.id AS control FROM (
             SELECT e.id, e.message_id FROM case_entries e JOIN cases k ON k.id = e.of_case
             WHERE k.conversation = ?1 AND e.ours AND (e.sent_ms IS NULL OR e.sent_ms >= ?2)
             ORDER BY e.id DESC LIMIT ?3) e
         LEFT JOIN messages m ON m.message_id = e.message_id AND m.conversation = ?1 AND m.outgoing
         LEFT JOIN controls c ON c.message_id = e.message_id AND c.conversation = ?1
         WHERE (m.id IS NOT NULL OR c.id IS NOT NULL) AND NOT EXISTS (
             SELECT 1 FROM recipients r
             WHERE r.message = m.id AND r.user_id = ?4 AND r.state IN ('delivered', 'read'))
         ORDER BY e.id",
    )
    .bind(conversation.0)
    .bind(int(since_ms))
    .bind(limit)
    .bind(user_id.as_str())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(read_freight).collect()
}

fn read_freight(row: &SqliteRow) -> Result<Freight, StoreError> {
    let message: Option<i64> = row.try_get("message")?;
    Ok(match message {
        Some(message) => Freight::Message(MessageRow(message)),
        None => Freight::Control(row.try_get("control")?),
    })
}

/// What of ours is no message to show, by all that it says.
pub async fn find_control(
    tx: &mut Tx,
    conversation: ConversationRow,
    payload: &[u8],
) -> Result<Option<Freight>, StoreError> {
    let row = sqlx::query(
        "SELECT id FROM controls WHERE conversation = ? AND payload = ? ORDER BY id LIMIT 1",
    )
    .bind(conversation.0)
    .bind(payload)
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| Ok(Freight::Control(row.try_get("id")?)))
        .transpose()
}

/// Something of ours wherever it was said, message or not.
pub async fn find_anywhere(
    tx: &mut Tx,
    author: &UserId,
    message_id: MessageId,
) -> Result<Option<(ConversationRow, Freight)>, StoreError> {
    let row = sqlx::query(
        "SELECT conversation, id AS message, NULL AS control FROM messages
         WHERE message_id = ?1 AND sender = ?2 AND outgoing
         UNION ALL SELECT conversation, NULL, id FROM controls WHERE message_id = ?1",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(author.as_str())
    .fetch_optional(tx.connection())
    .await?;
    row.map(|row| {
        let conversation = ConversationRow(row.try_get("conversation")?);
        let message: Option<i64> = row.try_get("message")?;
        Ok(match message {
            Some(message) => (conversation, Freight::Message(MessageRow(message))),
            None => (conversation, Freight::Control(row.try_get("control")?)),
        })
    })
    .transpose()
}

/// Removes the oldest controls as far as they are from before `before_ms` and in no outbox, at most `limit` of them.
pub async fn forget_controls(tx: &mut Tx, before_ms: u64, limit: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM controls WHERE id IN (
             SELECT id FROM (
                 SELECT id, timestamp_ms FROM controls c
                 WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.control = c.id) ORDER BY id LIMIT ?2)
             WHERE timestamp_ms < ?1)",
    )
    .bind(int(before_ms))
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected())
}
