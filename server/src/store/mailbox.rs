//! Mailboxes (D21): what was accepted waits in order until it is acknowledged.

use std::collections::{BTreeMap, HashMap};

use connect_proto::ids::MessageId;
use futures_util::TryStreamExt as _;
use serde_json::json;
use sqlx::{Row as _, SqlitePool};

use super::writer::{Change, Tx};
use super::{UserNumber, signed, unsigned};
use crate::limits::EPHEMERAL_LIFETIME_MS;

const SEQ_BITS: u32 = 40;
const MAX_SEQ: u64 = (1 << SEQ_BITS) - 1;

/// Where an envelope lies: user and queue_seq in one integer, so that a mailbox is one range of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Slot(pub(super) i64);

impl Slot {
    /// None for a sequence that was never given out.
    pub(super) fn new(user: UserNumber, seq: u64) -> Option<Self> {
        (seq <= MAX_SEQ).then(|| Self((user.0 << SEQ_BITS) | signed(seq)))
    }

    pub(super) fn first(user: UserNumber) -> i64 {
        user.0 << SEQ_BITS
    }

    pub(super) fn last(user: UserNumber) -> i64 {
        Self::first(user) | signed(MAX_SEQ)
    }

    pub(super) fn user(self) -> UserNumber {
        UserNumber(self.0 >> SEQ_BITS)
    }

    fn seq(self) -> u64 {
        unsigned(self.0) & MAX_SEQ
    }
}

pub(super) async fn add_shared(
    tx: &mut Tx,
    envelope: &[u8],
    readers: u64,
) -> Result<i64, sqlx::Error> {
    let added = sqlx::query("INSERT INTO shared (readers, envelope) VALUES (?, ?)")
        .bind(signed(readers))
        .bind(envelope)
        .execute(&mut tx.connection)
        .await?;
    Ok(added.last_insert_rowid())
}

/// Puts an envelope of the relay's own into one mailbox, whatever its limits. Nobody reads a deleted user's.
pub(super) async fn put_own(
    tx: &mut Tx,
    user: UserNumber,
    message_id: &MessageId,
    envelope: &[u8],
    now_ms: u64,
) -> Result<(), sqlx::Error> {
    let size = signed(envelope.len() as u64);
    sqlx::query(
        "INSERT INTO mailbox (slot, message_id, arrived_ms, size, envelope)
         SELECT (m.user << 40) | m.next_seq, ?, ?, ?, ? FROM mailboxes m JOIN users u ON u.id = m.user
         WHERE m.user = ? AND u.state = 0;
         UPDATE mailboxes SET next_seq = next_seq + 1, messages = messages + 1, bytes = bytes + ?
         WHERE user = (SELECT id FROM users WHERE id = ? AND state = 0)",
    )
    .bind(message_id.as_bytes().as_slice())
    .bind(signed(now_ms))
    .bind(size)
    .bind(envelope)
    .bind(user.0)
    .bind(size)
    .bind(user.0)
    .execute(&mut tx.connection)
    .await?;
    tx.woken.push(user);
    Ok(())
}

/// Deletes what its reader has made durable.
#[derive(Debug)]
pub(crate) struct Acknowledge {
    pub(crate) user: UserNumber,
    /// By queue_seq; what does not fit the mailbox is passed over.
    pub(crate) entries: BTreeMap<u64, MessageId>,
}

impl Change for Acknowledge {
    type Outcome = ();

    async fn apply(&mut self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        let asked: Vec<_> = self
            .entries
            .iter()
            .filter_map(|(seq, message)| {
                Some(json!([Slot::new(self.user, *seq)?.0, message.to_string()]))
            })
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        let rows = sqlx::query(
            "SELECT b.slot, b.size, b.shared, b.expires_ms IS NOT NULL FROM json_each(?) j
             JOIN mailbox b ON b.slot = j.value ->> 0 AND b.message_id = unhex(j.value ->> 1)",
        )
        .bind(json!(asked).to_string())
        .fetch_all(&mut tx.connection)
        .await?;
        let lying = rows
            .iter()
            .map(Lying::read)
            .collect::<Result<Vec<_>, _>>()?;
        take_out(tx, &lying).await
    }
}

/// What must be known of an envelope to take it out.
pub(super) struct Lying {
    pub(super) slot: Slot,
    size: i64,
    shared: Option<i64>,
    ephemeral: bool,
}

impl Lying {
    /// From a row that begins with slot, size, shared, and whether it is ephemeral.
    pub(super) fn read(row: &sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            slot: Slot(row.try_get(0)?),
            size: row.try_get(1)?,
            shared: row.try_get(2)?,
            ephemeral: row.try_get(3)?,
        })
    }
}

/// Takes envelopes out of their mailboxes, and shared parts away with their last reader.
pub(super) async fn take_out(tx: &mut Tx, lying: &[Lying]) -> Result<(), sqlx::Error> {
    if lying.is_empty() {
        return Ok(());
    }
    let slots: Vec<_> = lying.iter().map(|lying| lying.slot.0).collect();
    sqlx::query("DELETE FROM mailbox WHERE slot IN (SELECT value FROM json_each(?))")
        .bind(json!(slots).to_string())
        .execute(&mut tx.connection)
        .await?;
    let mut users: HashMap<UserNumber, (i64, i64, i64)> = HashMap::new();
    let mut shares: HashMap<i64, i64> = HashMap::new();
    for Lying {
        slot,
        size,
        shared,
        ephemeral,
    } in lying
    {
        let (messages, bytes, ephemerals) = users.entry(slot.user()).or_default();
        if *ephemeral {
            *ephemerals += 1;
        } else {
            *messages += 1;
            *bytes += size;
        }
        if let Some(shared) = shared {
            *shares.entry(*shared).or_default() += 1;
        }
    }
    for (user, (messages, bytes, ephemerals)) in users {
        sqlx::query(
            "UPDATE mailboxes SET messages = messages - ?, bytes = bytes - ?, ephemerals = ephemerals - ?
             WHERE user = ?",
        )
        .bind(messages)
        .bind(bytes)
        .bind(ephemerals)
        .bind(user.0)
        .execute(&mut tx.connection)
        .await?;
    }
    for (shared, readers) in shares {
        sqlx::query(
            "UPDATE shared SET readers = readers - ? WHERE id = ?; DELETE FROM shared WHERE id = ? AND readers <= 0",
        )
        .bind(readers)
        .bind(shared)
        .bind(shared)
        .execute(&mut tx.connection)
        .await?;
    }
    Ok(())
}

/// The oldest of what waits for one user.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) more: bool,
}

/// One envelope that waits: both parts of it are the encoding of a `wire::Envelope`, and so are they together.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) queue_seq: u64,
    pub(crate) shared: Vec<u8>,
    pub(crate) envelope: Vec<u8>,
}

/// Up to `limit` envelopes; `fits` says of each one but the first whether there is room for it.
pub(crate) async fn page(
    readers: &SqlitePool,
    user: UserNumber,
    limit: usize,
    now_ms: u64,
    mut fits: impl FnMut(&Waiting) -> bool,
) -> Result<Page, sqlx::Error> {
    let mut rows = sqlx::query(
        "SELECT b.slot, s.envelope, b.envelope FROM mailbox b LEFT JOIN shared s ON s.id = b.shared
         WHERE b.slot BETWEEN ? AND ? AND (b.expires_ms IS NULL OR b.expires_ms > ? AND b.expires_ms <= ?)
         ORDER BY b.slot LIMIT ?",
    )
    .bind(Slot::first(user))
    .bind(Slot::last(user))
    .bind(signed(now_ms))
    // What would expire later was stamped by a clock that has been set back since.
    .bind(signed(now_ms.saturating_add(EPHEMERAL_LIFETIME_MS)))
    .bind(signed(limit as u64 + 1))
    .fetch(readers);
    let mut page = Page::default();
    while let Some(row) = rows.try_next().await? {
        let waiting = Waiting {
            queue_seq: Slot(row.try_get(0)?).seq(),
            shared: row.try_get::<Option<Vec<u8>>, _>(1)?.unwrap_or_default(),
            envelope: row.try_get(2)?,
        };
        let fits = fits(&waiting);
        if page.waiting.len() == limit || !(fits || page.waiting.is_empty()) {
            page.more = true;
            break;
        }
        page.waiting.push(waiting);
    }
    Ok(page)
}
