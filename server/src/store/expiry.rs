//! What time ends: unread messages after 30 days (their senders are told, D21), attachments after as many, typing
//! after 60 s, nonces, repeats.

use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::bounce::{self, Recipient};
use super::mailbox::{self, Lying};
use super::writer::{Single, Tx};
use super::{UserNumber, codes, leaps, nonces, signed, withdrawal};
use crate::limits::{ENVELOPE_LIFETIME_MS, EPHEMERAL_LIFETIME_MS};
use crate::secret::RelaySecret;

/// Rows of each kind that one change removes: a sweep must not hold up those who send.
const AT_MOST: u32 = 500;
/// Mailboxes with overdue envelopes that one change looks into.
const OVERDUE_MAILBOXES: u32 = 10;

/// Someone whose mailbox has something to be given up.
#[derive(Debug)]
pub(crate) struct Overdue {
    user: UserNumber,
    user_id: String,
}

/// Some of the mailboxes with something to be given up.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    /// An envelope has waited too long.
    absent: Vec<Overdue>,
    /// Nobody will ever read them.
    deleted: Vec<Overdue>,
}

/// They lie in the order of arrival, so that one look at the first envelope of each finds out, bounces apart; it is
/// taken beside the writer, since there may be many to look at.
pub(crate) async fn overdue(readers: &SqlitePool, now_ms: u64) -> Result<Mailboxes, sqlx::Error> {
    let absent = sqlx::query(
        "SELECT m.user, u.user_id FROM mailboxes m
         JOIN users u ON u.id = m.user
         JOIN mailbox b ON b.slot = (SELECT min(slot) FROM mailbox
                                     WHERE slot BETWEEN m.user << 40 AND (m.user << 40) | 0xffffffffff
                                     AND expires_ms IS NULL AND (sender IS NOT NULL OR shared IS NOT NULL))
         WHERE m.messages > 0 AND b.arrived_ms <= ? AND u.state <> 1 LIMIT ?",
    )
    .bind(expired_before(now_ms))
    .bind(OVERDUE_MAILBOXES)
    .fetch_all(readers)
    .await?;
    let deleted = sqlx::query(
        "SELECT m.user, u.user_id FROM users u JOIN mailboxes m ON m.user = u.id
         WHERE u.state = 1 AND (m.messages > 0 OR m.ephemerals > 0) LIMIT ?",
    )
    .bind(OVERDUE_MAILBOXES)
    .fetch_all(readers)
    .await?;
    Ok(Mailboxes {
        absent: read(&absent)?,
        deleted: read(&deleted)?,
    })
}

fn read(rows: &[SqliteRow]) -> Result<Vec<Overdue>, sqlx::Error> {
    let overdue = rows.iter().map(|row| {
        Ok(Overdue {
            user: UserNumber(row.try_get(0)?),
            user_id: row.try_get(1)?,
        })
    });
    overdue.collect()
}

fn expired_before(now_ms: u64) -> i64 {
    signed(now_ms.saturating_sub(ENVELOPE_LIFETIME_MS))
}

/// One bounded step of a sweep; answers whether there is more to do.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub(crate) now_ms: u64,
    pub(crate) overdue: Mailboxes,
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
            removed += withdrawal::expire(tx, self.now_ms, AT_MOST).await?;
        }
        removed += self.bounce_undeliverable(tx).await?;
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
        let at_most = AT_MOST / OVERDUE_MAILBOXES;
        for Overdue { user, user_id } in &self.overdue.absent {
            let recipient = Recipient::absent(*user, user_id);
            let which = (expired_before(self.now_ms), at_most);
            bounced +=
                bounce::arrived_before(tx, &self.secret, &recipient, self.now_ms, which).await?;
        }
        Ok(bounced)
    }

    /// What a deleted user left behind goes whatever the clock says.
    async fn bounce_undeliverable(&self, tx: &mut Tx) -> Result<u64, sqlx::Error> {
        let mut bounced = 0;
        let at_most = AT_MOST / OVERDUE_MAILBOXES;
        for Overdue { user, user_id } in &self.overdue.deleted {
            let recipient = Recipient::deleted(*user, user_id);
            bounced +=
                bounce::everything(tx, &self.secret, &recipient, self.now_ms, at_most).await?;
        }
        Ok(bounced)
    }
}
