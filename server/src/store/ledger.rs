//! What a run of deliveries finds in the database, and what it leaves there: two trips, however many they are.
//!
//! Lists travel as JSON, and bytes beside them as one blob that is cut up by SQLite. With several statements only a
//! bare `?` is bound in order.

use std::collections::{HashMap, HashSet, VecDeque};

use connect_proto::ids::MessageId;

use super::delivery::{Deliver, Delivery, Parcel};
use super::mailbox::{self, Slot};
use super::writer::Tx;
use super::{UserNumber, from_json, to_json};
use crate::limits::{DEDUP_LIFETIME_MS, EPHEMERAL_LIFETIME_MS, EPHEMERALS_WAITING};
use crate::secret::Tag;

const TAG_LEN: usize = size_of::<Tag>();

/// A mailbox as it is by now.
#[derive(Debug, Clone, Copy)]
struct Mailbox {
    next_seq: u64,
    messages: u64,
    bytes: u64,
    ephemerals: u64,
}

/// `user, whether it has an active key, next_seq, messages, bytes, ephemerals, digest of what was accepted before`.
type Found = (
    usize,
    Option<i64>,
    i64,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    String,
);

/// `slot, sender, arrived, expires, shared, size, where its bytes begin, length of the envelope, end of its memory`.
type Letter = (
    i64,
    i64,
    u64,
    Option<u64>,
    Option<i64>,
    usize,
    usize,
    usize,
    u64,
);

/// Who gets a parcel.
#[derive(Debug, Clone, Copy)]
struct Addressee {
    user: UserNumber,
    has_key: bool,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By parcel, in the order in which the ledger was opened for them; none where the recipient is unknown.
    recipients: VecDeque<Option<Addressee>>,
    mailboxes: HashMap<UserNumber, Mailbox>,
    accepted: HashMap<Tag, Tag>,
    /// Of the letters.
    noted: HashSet<Tag>,
    letters: Vec<Letter>,
    /// Tag, digest, message id and envelope of each letter.
    bytes: Vec<u8>,
}

impl Ledger {
    /// Reads what is known of all these parcels.
    pub(super) async fn open<'a>(
        tx: &mut Tx,
        parcels: impl Iterator<Item = &'a Parcel> + Clone,
    ) -> Result<Self, sqlx::Error> {
        let names: Vec<_> = parcels
            .clone()
            .map(|parcel| parcel.recipient.as_str())
            .collect();
        let tags: Vec<u8> = parcels.clone().flat_map(|parcel| parcel.tag).collect();
        let found: String = sqlx::query_scalar(
            "SELECT json_group_array(json_array(
                 j.key, m.user, u.state IS 0, m.next_seq, m.messages, m.bytes, m.ephemerals, hex(d.digest)))
             FROM json_each(?) j
             LEFT JOIN users u ON u.user_id = j.value AND u.state <> 1
             LEFT JOIN mailboxes m ON m.user = u.id
             LEFT JOIN dedup d ON d.tag = substr(?, j.key * 16 + 1, 16)",
        )
        .bind(to_json(&names)?)
        .bind(tags)
        .fetch_one(&mut tx.connection)
        .await?;
        let mut found: Vec<Found> = from_json(&found)?;
        found.sort_unstable_by_key(|row| row.0);
        let mut ledger = Self::default();
        for (row, parcel) in found.into_iter().zip(parcels) {
            ledger.note(row, parcel)?;
        }
        Ok(ledger)
    }

    fn note(&mut self, row: Found, parcel: &Parcel) -> Result<(), sqlx::Error> {
        let (_, user, has_key, next_seq, messages, bytes, ephemerals, digest) = row;
        let user = user.map(UserNumber);
        self.recipients.push_back(user.map(|user| Addressee {
            user,
            has_key: has_key != 0,
        }));
        if let (Some(user), Some(next_seq)) = (user, next_seq) {
            self.mailboxes.entry(user).or_insert(Mailbox {
                next_seq,
                messages: messages.unwrap_or_default(),
                bytes: bytes.unwrap_or_default(),
                ephemerals: ephemerals.unwrap_or_default(),
            });
        }
        if !digest.is_empty() {
            let mut accepted = Tag::default();
            hex::decode_to_slice(digest, &mut accepted)
                .map_err(|error| sqlx::Error::Decode(error.into()))?;
            self.accepted.insert(parcel.tag, accepted);
        }
        Ok(())
    }

    /// Looks at every recipient of the next envelope before it notes a letter for the first (D18).
    pub(super) async fn admit(
        &mut self,
        tx: &mut Tx,
        deliver: &Deliver,
    ) -> Result<Delivery, sqlx::Error> {
        let recipients: Vec<_> = self.recipients.drain(..deliver.parcels.len()).collect();
        let mut missing = Vec::with_capacity(recipients.len());
        let (mut conflict, mut keyless, mut full) = (false, false, false);
        for (recipient, parcel) in recipients.into_iter().zip(&deliver.parcels) {
            let found = recipient.and_then(|to| Some((to, self.mailboxes.get(&to.user)?)));
            let Some((Addressee { user, has_key }, mailbox)) = found else {
                return Ok(Delivery::UnknownRecipient);
            };
            match self.accepted.get(&parcel.tag) {
                Some(digest) if *digest == parcel.digest => continue,
                // Once it was delivered, other bytes are the same message sealed anew: its recipient asked for it.
                Some(_) => conflict |= self.waits(tx, user, deliver, parcel).await?,
                None => {}
            }
            keyless |= !has_key;
            full |= !mailbox.has_room(deliver, parcel);
            missing.push((user, parcel));
        }
        if conflict {
            return Ok(Delivery::Conflict);
        }
        if keyless {
            return Ok(Delivery::RecipientWithoutKey);
        }
        if full {
            return Ok(Delivery::MailboxFull);
        }
        let shared = match &deliver.shared {
            Some(envelope) if !missing.is_empty() => {
                Some(mailbox::add_shared(tx, envelope, missing.len() as u64).await?)
            }
            _ => None,
        };
        for (user, parcel) in missing {
            self.put(user, deliver, parcel, shared)?;
            tx.woken.push(user);
        }
        Ok(Delivery::Stored)
    }

    /// Whether what was accepted under the same id is still in the mailbox.
    async fn waits(
        &self,
        tx: &mut Tx,
        user: UserNumber,
        deliver: &Deliver,
        parcel: &Parcel,
    ) -> Result<bool, sqlx::Error> {
        if self.noted.contains(&parcel.tag) {
            return Ok(true);
        }
        mailbox::holds(tx, user, deliver.sender, deliver.message_id).await
    }

    fn put(
        &mut self,
        user: UserNumber,
        deliver: &Deliver,
        parcel: &Parcel,
        shared: Option<i64>,
    ) -> Result<(), sqlx::Error> {
        let mailbox = self.mailboxes.get_mut(&user).ok_or_else(exhausted)?;
        let slot = Slot::new(user, mailbox.next_seq).ok_or_else(exhausted)?;
        let size = deliver.size(parcel);
        mailbox.take_in(deliver.ephemeral, size as u64);
        let now_ms = deliver.now_ms;
        self.letters.push((
            slot.0,
            deliver.sender.0,
            now_ms,
            deliver
                .ephemeral
                .then(|| now_ms.saturating_add(EPHEMERAL_LIFETIME_MS)),
            shared,
            size,
            self.bytes.len() + 1,
            parcel.envelope.len(),
            now_ms.saturating_add(DEDUP_LIFETIME_MS),
        ));
        self.bytes.extend_from_slice(&parcel.tag);
        self.bytes.extend_from_slice(&parcel.digest);
        self.bytes.extend_from_slice(deliver.message_id.as_bytes());
        self.bytes.extend_from_slice(&parcel.envelope);
        self.accepted.insert(parcel.tag, parcel.digest);
        self.noted.insert(parcel.tag);
        Ok(())
    }

    /// Writes all letters and what has become of the mailboxes.
    pub(super) async fn close(self, tx: &mut Tx) -> Result<(), sqlx::Error> {
        const {
            assert!(
                TAG_LEN == 16 && MessageId::LEN == 16,
                "the statement cuts by them"
            );
        };
        if self.letters.is_empty() {
            return Ok(());
        }
        let mailboxes: Vec<_> = self
            .mailboxes
            .iter()
            .map(|(user, now)| {
                (
                    user.0,
                    now.next_seq,
                    now.messages,
                    now.bytes,
                    now.ephemerals,
                )
            })
            .collect();
        let letters = to_json(&self.letters)?;
        sqlx::query(
            "INSERT OR REPLACE INTO dedup (tag, digest, expires_ms)
             SELECT substr(?, value ->> 6, 16), substr(?, (value ->> 6) + 16, 16), value ->> 8 FROM json_each(?);
             INSERT INTO mailbox (slot, message_id, sender, arrived_ms, expires_ms, shared, size, envelope)
             SELECT value ->> 0, substr(?, (value ->> 6) + 32, 16), value ->> 1, value ->> 2, value ->> 3, value ->> 4,
                    value ->> 5, substr(?, (value ->> 6) + 48, value ->> 7) FROM json_each(?);
             UPDATE mailboxes SET next_seq = j.value ->> 1, messages = j.value ->> 2, bytes = j.value ->> 3,
                    ephemerals = j.value ->> 4 FROM json_each(?) j WHERE user = j.value ->> 0",
        )
        .bind(self.bytes.as_slice())
        .bind(self.bytes.as_slice())
        .bind(letters.as_str())
        .bind(self.bytes.as_slice())
        .bind(self.bytes.as_slice())
        .bind(letters.as_str())
        .bind(to_json(&mailboxes)?)
        .execute(&mut tx.connection)
        .await?;
        Ok(())
    }
}

impl Mailbox {
    fn has_room(&self, deliver: &Deliver, parcel: &Parcel) -> bool {
        if deliver.ephemeral {
            return self.ephemerals < EPHEMERALS_WAITING;
        }
        let size = deliver.size(parcel) as u64;
        self.messages < deliver.max_messages && self.bytes + size <= deliver.max_bytes
    }

    fn take_in(&mut self, ephemeral: bool, size: u64) {
        self.next_seq += 1;
        if ephemeral {
            self.ephemerals += 1;
        } else {
            self.messages += 1;
            self.bytes += size;
        }
    }
}

/// A mailbox that was given 2^40 numbers: its user cannot get a further one.
fn exhausted() -> sqlx::Error {
    sqlx::Error::Protocol("a mailbox has no number left".to_owned())
}
