//! Accepting an envelope (D18, D21): for all its recipients or for none, and each message once.

use connect_proto::ids::{MessageId, UserId};

use super::UserNumber;
use super::ledger::Ledger;
use super::writer::{Change, Tx};
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
    /// A recipient's key was revoked, and no other one took its place.
    RecipientWithoutKey,
    /// The same message id with other bytes.
    Conflict,
    MailboxFull,
}

/// Bytes of envelopes in one run: it travels to the database as one blob.
const RUN: usize = 4 << 20;

impl Change for Deliver {
    type Outcome = Delivery;

    /// Those of one group commit together, in runs: a trip to the database's thread costs more than what it does there.
    async fn apply_all(
        changes: &mut [&mut Self],
        tx: &mut Tx,
    ) -> Result<Vec<Delivery>, sqlx::Error> {
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut rest = &*changes;
        while !rest.is_empty() {
            let (run, later) = rest.split_at(run_len(rest));
            let parcels = run.iter().flat_map(|deliver| &deliver.parcels);
            let mut ledger = Ledger::open(tx, parcels).await?;
            for deliver in run {
                outcomes.push(ledger.admit(tx, deliver).await?);
            }
            ledger.close(tx).await?;
            rest = later;
        }
        Ok(outcomes)
    }
}

impl Deliver {
    pub(super) fn size(&self, parcel: &Parcel) -> usize {
        parcel.envelope.len() + self.shared.as_ref().map_or(0, Vec::len)
    }
}

/// How many of the first ones fit into one run; at least one.
fn run_len(changes: &[&mut Deliver]) -> usize {
    let mut bytes = 0;
    let fit = changes.iter().take_while(|deliver| {
        let parcels = deliver.parcels.iter();
        bytes += parcels.map(|parcel| parcel.envelope.len()).sum::<usize>();
        bytes <= RUN
    });
    fit.count().max(1)
}
