//! Accepting an envelope (D18, D21): for all its recipients or for none, and each message once.

use connect_proto::ids::{MessageId, UserId};
use serde_json::json;
use sqlx::Row as _;

use super::mailbox::{self, Slot};
use super::writer::{Change, Tx};
use super::{UserNumber, signed, unsigned};
use crate::limits::{DEDUP_LIFETIME_MS, EPHEMERAL_LIFETIME_MS, EPHEMERALS_WAITING};
use crate::secret::Tag;

/// An envelope that a user sends: stored for all recipients or for none (D18).
#[derive(Debug)]
pub(crate) struct Deliver {
    pub(crate) sender: UserNumber,
    pub(crate) message_id: MessageId,
    pub(crate) ephemeral: bool,
    pub(crate) now_ms: u64,
    pub(crate) max_messages: u64,
    pub(crate) max_bytes: u64,
    /// What all recipients share of it, kept once.
    pub(crate) shared: Option<Vec<u8>>,
    /// One per recipient, and no recipient twice.
    pub(crate) parcels: Vec<Parcel>,
}

/// What one recipient gets.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) recipient: UserId,
    /// Stands for (recipient, sender, message id).
    pub(crate) tag: Tag,
    /// Of the bytes that the recipient would read.
    pub(crate) digest: Tag,
    pub(crate) envelope: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// For those who had it already, nothing was done.
    Stored,
    UnknownRecipient,
    /// The same message id with other bytes.
    Conflict,
    MailboxFull,
}

/// A recipient's mailbox as the transaction finds it.
struct Mailbox {
    user: UserNumber,
    next_seq: u64,
    has_room: bool,
    accepted_before: Option<Vec<u8>>,
}

impl Change for Deliver {
    type Outcome = Delivery;

    /// Looks at every recipient before it writes for the first.
    async fn apply(&mut self, tx: &mut Tx) -> Result<Delivery, sqlx::Error> {
        let Some(mailboxes) = self.mailboxes(tx).await? else {
            return Ok(Delivery::UnknownRecipient);
        };
        let addressed = || self.parcels.iter().zip(&mailboxes);
        let differs = |(parcel, mailbox): (&Parcel, &Mailbox)| {
            mailbox
                .accepted_before
                .as_ref()
                .is_some_and(|digest| digest.as_slice() != parcel.digest)
        };
        if addressed().any(differs) {
            return Ok(Delivery::Conflict);
        }
        let missing: Vec<_> = addressed()
            .filter(|(_, mailbox)| mailbox.accepted_before.is_none())
            .collect();
        if missing.iter().any(|(_, mailbox)| !mailbox.has_room) {
            return Ok(Delivery::MailboxFull);
        }
        let shared = match &self.shared {
            Some(envelope) if !missing.is_empty() => {
                Some(mailbox::add_shared(tx, envelope, missing.len() as u64).await?)
            }
            _ => None,
        };
        self.put(tx, &missing, shared).await?;
        Ok(Delivery::Stored)
    }
}

impl Deliver {
    fn size(&self, parcel: &Parcel) -> u64 {
        (parcel.envelope.len() + self.shared.as_ref().map_or(0, Vec::len)) as u64
    }

    /// Every recipient's mailbox, in the order of the parcels; none if one of them is unknown.
    async fn mailboxes(&self, tx: &mut Tx) -> Result<Option<Vec<Mailbox>>, sqlx::Error> {
        let asked: Vec<_> = self
            .parcels
            .iter()
            .map(|parcel| json!([parcel.recipient.as_str(), hex::encode(parcel.tag)]))
            .collect();
        let rows = sqlx::query(
            "SELECT m.user, m.next_seq, m.messages, m.bytes, m.ephemerals, d.digest
             FROM json_each(?) j
             LEFT JOIN users u ON u.user_id = j.value ->> 0 AND u.state = 0
             LEFT JOIN mailboxes m ON m.user = u.id
             LEFT JOIN dedup d ON d.tag = unhex(j.value ->> 1)
             ORDER BY j.key",
        )
        .bind(json!(asked).to_string())
        .fetch_all(&mut tx.connection)
        .await?;
        let mut mailboxes = Vec::with_capacity(rows.len());
        for (row, parcel) in rows.iter().zip(&self.parcels) {
            let Some(user) = row.try_get(0)? else {
                return Ok(None);
            };
            let [messages, bytes, ephemerals] =
                [row.try_get(2)?, row.try_get(3)?, row.try_get(4)?].map(unsigned);
            mailboxes.push(Mailbox {
                user: UserNumber(user),
                next_seq: unsigned(row.try_get(1)?),
                has_room: if self.ephemeral {
                    ephemerals < EPHEMERALS_WAITING
                } else {
                    messages < self.max_messages && bytes + self.size(parcel) <= self.max_bytes
                },
                accepted_before: row.try_get(5)?,
            });
        }
        Ok(Some(mailboxes))
    }

    /// One trip to the database, however many the recipients: their envelopes travel as one blob, cut up there.
    /// With several statements only a bare `?` is bound in order.
    async fn put(
        &self,
        tx: &mut Tx,
        missing: &[(&Parcel, &Mailbox)],
        shared: Option<i64>,
    ) -> Result<(), sqlx::Error> {
        let (list, envelopes) = self.pack(missing)?;
        let expires = self
            .ephemeral
            .then(|| signed(self.now_ms.saturating_add(EPHEMERAL_LIFETIME_MS)));
        sqlx::query(
            "INSERT INTO dedup (tag, digest, expires_ms)
             SELECT unhex(value ->> 0), unhex(value ->> 1), ? FROM json_each(?);
             INSERT INTO mailbox (slot, message_id, sender, arrived_ms, expires_ms, shared, size, envelope)
             SELECT value ->> 3, ?, ?, ?, ?, ?, value ->> 4, substr(?, value ->> 5, value ->> 6) FROM json_each(?);
             UPDATE mailboxes SET next_seq = next_seq + 1, messages = messages + (NOT ?), bytes = bytes + (NOT ?) * (j.value ->> 4),
             ephemerals = ephemerals + ? FROM json_each(?) j WHERE user = j.value ->> 2",
        )
        .bind(signed(self.now_ms.saturating_add(DEDUP_LIFETIME_MS)))
        .bind(list.as_str())
        .bind(self.message_id.as_bytes().as_slice())
        .bind(self.sender.0)
        .bind(signed(self.now_ms))
        .bind(expires)
        .bind(shared)
        .bind(envelopes)
        .bind(list.as_str())
        .bind(self.ephemeral)
        .bind(self.ephemeral)
        .bind(self.ephemeral)
        .bind(list.as_str())
        .execute(&mut tx.connection)
        .await?;
        tx.woken
            .extend(missing.iter().map(|(_, mailbox)| mailbox.user));
        Ok(())
    }

    /// `[tag, digest, user, slot, size, first byte, length]` of each, and the bytes of all.
    fn pack(&self, missing: &[(&Parcel, &Mailbox)]) -> Result<(String, Vec<u8>), sqlx::Error> {
        let mut list = Vec::with_capacity(missing.len());
        let mut envelopes = Vec::with_capacity(
            missing
                .iter()
                .map(|(parcel, _)| parcel.envelope.len())
                .sum(),
        );
        for (parcel, mailbox) in missing {
            let slot = Slot::new(mailbox.user, mailbox.next_seq).ok_or_else(exhausted)?;
            let (first, len) = (envelopes.len() + 1, parcel.envelope.len());
            let (tag, digest) = (hex::encode(parcel.tag), hex::encode(parcel.digest));
            list.push(json!([
                tag,
                digest,
                mailbox.user.0,
                slot.0,
                self.size(parcel),
                first,
                len
            ]));
            envelopes.extend_from_slice(&parcel.envelope);
        }
        Ok((json!(list).to_string(), envelopes))
    }
}

/// A mailbox that was given 2^40 numbers: its user cannot get a further one.
fn exhausted() -> sqlx::Error {
    sqlx::Error::Protocol("a mailbox has no number left".to_owned())
}
