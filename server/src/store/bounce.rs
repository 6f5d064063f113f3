//! Giving up on what was not delivered (D21): it is taken out, forgotten, and its sender told.

use connect_proto::ids::{MessageId, UserId};
use connect_proto::wire::bounce::Reason;
use connect_proto::{codec, wire};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::UserNumber;
use super::mailbox::{self, Lying, Slot};
use super::writer::Tx;
use crate::secret::RelaySecret;

/// Whose mailbox it is taken out of, and why.
pub(super) struct Recipient<'a> {
    user: UserNumber,
    user_id: &'a str,
    reason: Reason,
}

impl<'a> Recipient<'a> {
    pub(super) const fn deleted(user: UserNumber, user_id: &'a str) -> Self {
        Self {
            user,
            user_id,
            reason: Reason::RecipientDeleted,
        }
    }

    pub(super) const fn absent(user: UserNumber, user_id: &'a str) -> Self {
        Self {
            user,
            user_id,
            reason: Reason::Expired,
        }
    }
}

/// The oldest that lie in a mailbox, whatever they are; answers how many.
pub(super) async fn everything(
    tx: &mut Tx,
    secret: &RelaySecret,
    recipient: &Recipient<'_>,
    now_ms: u64,
    at_most: u32,
) -> Result<u64, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT b.slot, b.size, b.shared, b.expires_ms IS NOT NULL, b.message_id, b.sender, u.user_id
         FROM mailbox b LEFT JOIN users u ON u.id = b.sender
         WHERE b.slot BETWEEN ? AND ? ORDER BY b.slot LIMIT ?",
    )
    .bind(Slot::first(recipient.user))
    .bind(Slot::last(recipient.user))
    .bind(at_most)
    .fetch_all(&mut tx.connection)
    .await?;
    give_up(tx, secret, recipient, now_ms, &rows).await
}

/// Messages that have waited too long; answers how many.
///
/// A bounce stays until it is acknowledged: else nobody would ever learn of what it tells.
pub(super) async fn arrived_before(
    tx: &mut Tx,
    secret: &RelaySecret,
    recipient: &Recipient<'_>,
    now_ms: u64,
    (arrived_before, at_most): (i64, u32),
) -> Result<u64, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT b.slot, b.size, b.shared, false, b.message_id, b.sender, u.user_id
         FROM mailbox b LEFT JOIN users u ON u.id = b.sender
         WHERE b.slot BETWEEN ? AND ? AND b.arrived_ms <= ?
             AND b.expires_ms IS NULL AND (b.sender IS NOT NULL OR b.shared IS NOT NULL)
         ORDER BY b.slot LIMIT ?",
    )
    .bind(Slot::first(recipient.user))
    .bind(Slot::last(recipient.user))
    .bind(arrived_before)
    .bind(at_most)
    .fetch_all(&mut tx.connection)
    .await?;
    give_up(tx, secret, recipient, now_ms, &rows).await
}

/// From rows with what `Lying` reads, message id, and the sender's number and id.
async fn give_up(
    tx: &mut Tx,
    secret: &RelaySecret,
    recipient: &Recipient<'_>,
    now_ms: u64,
    rows: &[SqliteRow],
) -> Result<u64, sqlx::Error> {
    let lying = rows
        .iter()
        .map(Lying::read)
        .collect::<Result<Vec<_>, _>>()?;
    mailbox::take_out(tx, &lying).await?;
    for row in rows {
        let ephemeral: bool = row.try_get(3)?;
        // What the relay itself wrote has no sender, and nobody misses it: the directory tells the same.
        if let (false, Some(sender), Some(sender_id)) =
            (ephemeral, row.try_get(5)?, row.try_get(6)?)
        {
            let message_id = row.try_get(4)?;
            forget(tx, secret, message_id, sender_id, recipient.user_id).await?;
            let bounce = bounce(secret, message_id, recipient, now_ms);
            let (own_id, envelope) = (&bounce.0, &bounce.1);
            mailbox::put_own(tx, UserNumber(sender), own_id, envelope, now_ms).await?;
        }
    }
    Ok(rows.len() as u64)
}

/// What was given up may be sent again.
async fn forget(
    tx: &mut Tx,
    secret: &RelaySecret,
    message_id: &[u8],
    sender: &str,
    recipient: &str,
) -> Result<(), sqlx::Error> {
    let (Ok(sender), Ok(recipient)) = (sender.parse::<UserId>(), recipient.parse::<UserId>())
    else {
        return Ok(());
    };
    let tag = secret.dedup_tag(&recipient, &sender, message_id);
    sqlx::query("DELETE FROM dedup WHERE tag = ?")
        .bind(tag.as_slice())
        .execute(&mut tx.connection)
        .await?;
    Ok(())
}

fn bounce(
    secret: &RelaySecret,
    message_id: &[u8],
    recipient: &Recipient<'_>,
    now_ms: u64,
) -> (MessageId, Vec<u8>) {
    let own_id = secret.message_id(&[b"bounce", message_id, recipient.user_id.as_bytes()]);
    let envelope = codec::encode(&wire::Envelope {
        message_id: own_id.to_vec(),
        timestamp_ms: now_ms,
        bounce: Some(wire::Bounce {
            message_id: message_id.to_vec(),
            recipient_id: recipient.user_id.to_owned(),
            reason: recipient.reason.into(),
        }),
        ..Default::default()
    });
    (own_id, envelope)
}
