//! Mailboxes (D21): what was accepted waits in order until it is acknowledged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use connect_proto::ids::MessageId;
use futures_util::TryStreamExt as _;
use sqlx::{Row as _, SqlitePool};

use super::writer::{Change, Tx};
use super::{UserNumber, from_json, signed, to_json, unsigned};
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

/// Whether a message still waits in a mailbox.
pub(super) async fn holds(
    tx: &mut Tx,
    user: UserNumber,
    sender: UserNumber,
    message_id: MessageId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM mailbox
             WHERE slot BETWEEN ? AND ? AND message_id = ? AND sender = ?)",
    )
    .bind(Slot::first(user))
    .bind(Slot::last(user))
    .bind(message_id.as_bytes().as_slice())
    .bind(sender.0)
    .fetch_one(&mut tx.connection)
    .await
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
         WHERE m.user = ? AND u.state <> 1;
         UPDATE mailboxes SET next_seq = next_seq + 1, messages = messages + 1, bytes = bytes + ?
         WHERE user = (SELECT id FROM users WHERE id = ? AND state <> 1)",
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

    async fn apply_all(changes: &mut [&mut Self], tx: &mut Tx) -> Result<Vec<()>, sqlx::Error> {
        let (mut slots, mut messages) = (Vec::new(), Vec::new());
        for Self { user, entries } in changes.iter() {
            for (seq, message) in entries {
                if let Some(slot) = Slot::new(*user, *seq) {
                    slots.push(slot.0);
                    messages.extend_from_slice(message.as_bytes());
                }
            }
        }
        if !slots.is_empty() {
            let lying: String = sqlx::query_scalar(
                "SELECT json_group_array(json_array(b.slot, b.size, b.shared, b.expires_ms IS NOT NULL))
                 FROM json_each(?) j
                 JOIN mailbox b ON b.slot = j.value AND b.message_id = substr(?, j.key * 16 + 1, 16)",
            )
            .bind(to_json(&slots)?)
            .bind(messages)
            .fetch_one(&mut tx.connection)
            .await?;
            let lying: BTreeSet<(i64, i64, Option<i64>, i64)> = from_json(&lying)?;
            let lying: Vec<_> = lying.into_iter().map(Lying::from_tuple).collect();
            take_out(tx, &lying).await?;
        }
        Ok(vec![(); changes.len()])
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

    fn from_tuple((slot, size, shared, ephemeral): (i64, i64, Option<i64>, i64)) -> Self {
        Self {
            slot: Slot(slot),
            size,
            shared,
            ephemeral: ephemeral != 0,
        }
    }
}

/// Takes envelopes out of their mailboxes, and shared parts away with their last reader.
pub(super) async fn take_out(tx: &mut Tx, lying: &[Lying]) -> Result<(), sqlx::Error> {
    if lying.is_empty() {
        return Ok(());
    }
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
    let slots: Vec<_> = lying.iter().map(|lying| lying.slot.0).collect();
    let users: Vec<_> = users.iter().map(|(user, out)| (user.0, out)).collect();
    let shares: Vec<_> = shares.into_iter().collect();
    let shares = to_json(&shares)?;
    sqlx::query(
        "DELETE FROM mailbox WHERE slot IN (SELECT value FROM json_each(?));
         UPDATE mailboxes SET messages = messages - (j.value ->> '$[1][0]'), bytes = bytes - (j.value ->> '$[1][1]'),
                ephemerals = ephemerals - (j.value ->> '$[1][2]') FROM json_each(?) j WHERE user = j.value ->> 0;
         UPDATE shared SET readers = readers - (j.value ->> 1) FROM json_each(?) j
                WHERE shared.id = j.value ->> 0;
         DELETE FROM shared WHERE id IN (SELECT value ->> 0 FROM json_each(?)) AND readers <= 0",
    )
    .bind(to_json(&slots)?)
    .bind(to_json(&users)?)
    .bind(shares.as_str())
    .bind(shares.as_str())
    .execute(&mut tx.connection)
    .await?;
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
