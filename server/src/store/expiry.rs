//! What time ends: unread messages after 30 days (their senders are told, D21), typing after 60 s, nonces, repeats.

use std::sync::Arc;

use connect_proto::ids::MessageId;
use connect_proto::{codec, wire};
use sqlx::{Row as _, SqlitePool};

use super::mailbox::{self, Lying, Slot};
use super::writer::{Change, Tx};
use super::{UserNumber, codes, nonces, signed};
use crate::limits::ENVELOPE_LIFETIME_MS;
use crate::secret::RelaySecret;

/// Rows of each kind that one change removes: a sweep must not hold up those who send.
const AT_MOST: u32 = 500;
/// Mailboxes with overdue envelopes that one change looks into.
const OVERDUE_MAILBOXES: u32 = 10;

/// Someone in whose mailbox an envelope has waited too long.
pub(crate) type Overdue = (UserNumber, String);

/// Some of the mailboxes with something overdue. They lie in the order of arrival, so that one look at the first
/// envelope of each finds out; it is taken beside the writer, since there may be many to look at.
pub(crate) async fn overdue(
    readers: &SqlitePool,
    now_ms: u64,
) -> Result<Vec<Overdue>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT m.user, u.user_id FROM mailboxes m
         JOIN users u ON u.id = m.user
         JOIN mailbox b ON b.slot = (SELECT min(slot) FROM mailbox
                                     WHERE slot BETWEEN m.user << 40 AND (m.user << 40) | 0xffffffffff)
         WHERE m.messages > 0 AND b.arrived_ms <= ? LIMIT ?",
    )
    .bind(expired_before(now_ms))
    .bind(OVERDUE_MAILBOXES)
    .fetch_all(readers)
    .await?;
    rows.iter()
        .map(|row| Ok((UserNumber(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}

fn expired_before(now_ms: u64) -> i64 {
    signed(now_ms.saturating_sub(ENVELOPE_LIFETIME_MS))
}

/// One bounded step of a sweep; answers whether there is more to do.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub(crate) now_ms: u64,
    pub(crate) overdue: Vec<Overdue>,
    pub(crate) secret: Arc<RelaySecret>,
}

impl Change for Sweep {
    type Outcome = bool;

    async fn apply(&mut self, tx: &mut Tx) -> Result<bool, sqlx::Error> {
        let removed = [
            nonces::purge(tx, self.now_ms, AT_MOST).await?,
            self.purge_dedup(tx).await?,
            self.end_ephemeral(tx).await?,
            self.bounce_expired(tx).await?,
            codes::purge(&mut tx.connection, self.now_ms).await?,
        ];
        Ok(removed.iter().any(|&removed| removed > 0))
    }
}

impl Sweep {
    /// Row ids rise with time: the oldest lie in front.
    async fn purge_dedup(&self, tx: &mut Tx) -> Result<u64, sqlx::Error> {
        let purged = sqlx::query(
            "DELETE FROM dedup WHERE id IN (SELECT id FROM dedup ORDER BY id LIMIT ?) AND expires_ms <= ?",
        )
        .bind(AT_MOST)
        .bind(signed(self.now_ms))
        .execute(&mut tx.connection)
        .await?;
        Ok(purged.rows_affected())
    }

    async fn end_ephemeral(&self, tx: &mut Tx) -> Result<u64, sqlx::Error> {
        let rows =
            sqlx::query("SELECT slot, size, shared FROM mailbox WHERE expires_ms <= ? LIMIT ?")
                .bind(signed(self.now_ms))
                .bind(AT_MOST)
                .fetch_all(&mut tx.connection)
                .await?;
        let lying = rows
            .iter()
            .map(Lying::read)
            .collect::<Result<Vec<_>, _>>()?;
        mailbox::take_out(tx, &lying).await?;
        Ok(rows.len() as u64)
    }

    async fn bounce_expired(&self, tx: &mut Tx) -> Result<u64, sqlx::Error> {
        let mut bounced = 0;
        for (user, user_id) in &self.overdue {
            bounced += self.bounce_out_of(tx, *user, user_id).await?;
        }
        Ok(bounced)
    }

    async fn bounce_out_of(
        &self,
        tx: &mut Tx,
        user: UserNumber,
        user_id: &str,
    ) -> Result<u64, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT slot, size, shared, message_id, sender FROM mailbox
             WHERE slot BETWEEN ? AND ? AND arrived_ms <= ? ORDER BY slot LIMIT ?",
        )
        .bind(Slot::first(user))
        .bind(Slot::last(user))
        .bind(expired_before(self.now_ms))
        .bind(AT_MOST / OVERDUE_MAILBOXES)
        .fetch_all(&mut tx.connection)
        .await?;
        let lying = rows
            .iter()
            .map(Lying::read)
            .collect::<Result<Vec<_>, _>>()?;
        mailbox::take_out(tx, &lying).await?;
        for row in &rows {
            // What the relay itself wrote has no sender, and nobody misses it.
            if let Some(sender) = row.try_get(4)? {
                self.bounce(tx, UserNumber(sender), row.try_get(3)?, user_id)
                    .await?;
            }
        }
        Ok(rows.len() as u64)
    }

    async fn bounce(
        &self,
        tx: &mut Tx,
        sender: UserNumber,
        message_id: &[u8],
        recipient: &str,
    ) -> Result<(), sqlx::Error> {
        let own_id: MessageId =
            self.secret
                .message_id(&[b"bounce", message_id, recipient.as_bytes()]);
        let envelope = codec::encode(&wire::Envelope {
            message_id: own_id.to_vec(),
            timestamp_ms: self.now_ms,
            bounce: Some(wire::Bounce {
                message_id: message_id.to_vec(),
                recipient_id: recipient.to_owned(),
                reason: wire::bounce::Reason::Expired.into(),
            }),
            ..Default::default()
        });
        mailbox::put_own(tx, sender, &own_id, &envelope, self.now_ms).await
    }
}
