//! What time ends: unread messages after 30 days (their senders are told, D21), typing after 60 s, nonces, repeats.

use std::sync::Arc;

use connect_proto::ids::{MessageId, UserId};
use connect_proto::{codec, wire};
use sqlx::{Row as _, SqlitePool};

use super::mailbox::{self, Lying, Slot};
use super::writer::{Single, Tx};
use super::{UserNumber, codes, leaps, nonces, signed};
use crate::limits::{ENVELOPE_LIFETIME_MS, EPHEMERAL_LIFETIME_MS};
use crate::secret::RelaySecret;

/// Rows of each kind that one change removes: a sweep must not hold up those who send.
const AT_MOST: u32 = 500;
/// Mailboxes with overdue envelopes that one change looks into.
const OVERDUE_MAILBOXES: u32 = 10;

/// Someone in whose mailbox an envelope has waited too long.
#[derive(Debug)]
pub(crate) struct Overdue {
    user: UserNumber,
    user_id: String,
    deleted: bool,
}

/// Some of the mailboxes with something overdue. They lie in the order of arrival, so that one look at the first
/// envelope of each finds out, bounces apart; it is taken beside the writer, since there may be many to look at.
pub(crate) async fn overdue(
    readers: &SqlitePool,
    now_ms: u64,
) -> Result<Vec<Overdue>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT m.user, u.user_id, u.state <> 0 FROM mailboxes m
         JOIN users u ON u.id = m.user
         JOIN mailbox b ON b.slot = (SELECT min(slot) FROM mailbox
                                     WHERE slot BETWEEN m.user << 40 AND (m.user << 40) | 0xffffffffff
                                     AND expires_ms IS NULL AND (sender IS NOT NULL OR shared IS NOT NULL))
         WHERE m.messages > 0 AND b.arrived_ms <= ? LIMIT ?",
    )
    .bind(expired_before(now_ms))
    .bind(OVERDUE_MAILBOXES)
    .fetch_all(readers)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Overdue {
                user: UserNumber(row.try_get(0)?),
                user_id: row.try_get(1)?,
                deleted: row.try_get(2)?,
            })
        })
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

impl Single for Sweep {
    type Outcome = bool;

    async fn apply(&mut self, tx: &mut Tx) -> Result<bool, sqlx::Error> {
        let due = leaps::note(tx, self.now_ms).await?;
        let mut removed = self.end_ephemeral(tx).await?;
        removed += codes::purge(&mut tx.connection, self.now_ms).await?;
        if due.nonces {
            removed += nonces::purge(tx, self.now_ms, AT_MOST).await?;
        }
        if due.envelopes {
            removed += self.purge_dedup(tx).await?;
            removed += self.bounce_expired(tx).await?;
        }
        Ok(removed > 0)
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
            sqlx::query("SELECT slot, size, shared, true FROM mailbox WHERE expires_ms <= ? OR expires_ms > ? LIMIT ?")
                .bind(signed(self.now_ms))
                .bind(signed(self.now_ms.saturating_add(EPHEMERAL_LIFETIME_MS)))
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
        for overdue in &self.overdue {
            bounced += self.bounce_out_of(tx, overdue).await?;
        }
        Ok(bounced)
    }

    /// A bounce stays until it is acknowledged: else nobody would ever learn of what it tells.
    async fn bounce_out_of(&self, tx: &mut Tx, recipient: &Overdue) -> Result<u64, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT b.slot, b.size, b.shared, false, b.message_id, b.sender, u.user_id
             FROM mailbox b LEFT JOIN users u ON u.id = b.sender
             WHERE b.slot BETWEEN ? AND ? AND b.arrived_ms <= ?
                 AND b.expires_ms IS NULL AND (b.sender IS NOT NULL OR b.shared IS NOT NULL)
             ORDER BY b.slot LIMIT ?",
        )
        .bind(Slot::first(recipient.user))
        .bind(Slot::last(recipient.user))
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
            // A contact update has no sender, and nobody misses it: the directory tells the same.
            if let (Some(sender), Some(sender_id)) = (row.try_get(5)?, row.try_get(6)?) {
                let message_id = row.try_get(4)?;
                self.forget(tx, message_id, sender_id, &recipient.user_id)
                    .await?;
                self.bounce(tx, UserNumber(sender), message_id, recipient)
                    .await?;
            }
        }
        Ok(rows.len() as u64)
    }

    /// What was given up may be sent again.
    async fn forget(
        &self,
        tx: &mut Tx,
        message_id: &[u8],
        sender: &str,
        recipient: &str,
    ) -> Result<(), sqlx::Error> {
        let (Ok(sender), Ok(recipient)) = (sender.parse::<UserId>(), recipient.parse::<UserId>())
        else {
            return Ok(());
        };
        let tag = self.secret.dedup_tag(&recipient, &sender, message_id);
        sqlx::query("DELETE FROM dedup WHERE tag = ?")
            .bind(tag.as_slice())
            .execute(&mut tx.connection)
            .await?;
        Ok(())
    }

    async fn bounce(
        &self,
        tx: &mut Tx,
        sender: UserNumber,
        message_id: &[u8],
        recipient: &Overdue,
    ) -> Result<(), sqlx::Error> {
        let user_id = recipient.user_id.as_bytes();
        let own_id: MessageId = self.secret.message_id(&[b"bounce", message_id, user_id]);
        let reason = if recipient.deleted {
            wire::bounce::Reason::RecipientDeleted
        } else {
            wire::bounce::Reason::Expired
        };
        let envelope = codec::encode(&wire::Envelope {
            message_id: own_id.to_vec(),
            timestamp_ms: self.now_ms,
            bounce: Some(wire::Bounce {
                message_id: message_id.to_vec(),
                recipient_id: recipient.user_id.clone(),
                reason: reason.into(),
            }),
            ..Default::default()
        });
        mailbox::put_own(tx, sender, &own_id, &envelope, self.now_ms).await
    }
}
