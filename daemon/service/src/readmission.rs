//! What was put aside because of whom it is from comes in once somebody decides otherwise.

use std::sync::Arc;

use connect_proto::ids::UserId;
use connect_proto::{codec, wire};
use connect_store::contacts::{self, Contact};
use connect_store::quarantine;

use crate::error::Error;
use crate::journal::Journal;
use crate::receive::carry_out_all;
use crate::senders::Senders;
use crate::unlocked::Unlocked;
use crate::verdict::judge_as_of;

/// Envelopes that are taken in within one transaction.
const AT_ONCE: u32 = 200;

/// All but what fits into the transaction of the decision itself: by the contact as `decided` makes it. In a task of its
/// own, since only the last transaction is the call's.
pub(crate) async fn readmit_most(
    unlocked: &Arc<Unlocked>,
    user_id: &UserId,
    reason: &'static str,
    decided: impl Fn(Contact) -> Contact + Send + 'static,
) -> Result<(), Error> {
    let here = Arc::clone(unlocked);
    let user_id = user_id.clone();
    let taking_in = unlocked.loops.spawn(async move {
        loop {
            let mut journal = Journal::begin(&here).await?;
            let Some(contact) = contacts::find_in(journal.tx(), &user_id).await? else {
                return Ok(());
            };
            if readmit(&mut journal, &decided(contact), reason).await? < AT_ONCE as usize {
                return Ok(());
            }
            journal.commit().await?;
        }
    });
    taking_in
        .await
        .map_err(|_| Error::Internal("what was put aside was not all taken in"))?
}

/// In the transaction of the decision: what is left, and what came since.
pub(crate) async fn readmit_rest(
    journal: &mut Journal,
    decided: &Contact,
    reason: &'static str,
) -> Result<(), Error> {
    while readmit(journal, decided, reason).await? == AT_ONCE as usize {}
    Ok(())
}

/// Takes in some of it, judged by the keys as they stood when it came. Returns how many those were.
async fn readmit(
    journal: &mut Journal,
    contact: &Contact,
    reason: &'static str,
) -> Result<usize, Error> {
    let sender = contact.user_id.as_str();
    let taken = quarantine::take(journal.tx(), sender, reason, AT_ONCE).await?;
    let count = taken.len();
    let mut envelopes = Vec::with_capacity(count);
    for (bytes, stored_ms) in taken {
        let envelope: wire::Envelope =
            codec::decode(&bytes).map_err(|_| Error::StorageFailed("quarantine"))?;
        envelopes.push((envelope, stored_ms));
    }
    let senders = Senders::only(contact.clone());
    let unlocked = Arc::clone(journal.unlocked());
    let judged = envelopes.iter().map(|(envelope, stored_ms)| {
        let verdict = judge_as_of(&unlocked, envelope, &senders, *stored_ms);
        (envelope, verdict)
    });
    carry_out_all(journal, &senders, judged.collect()).await?;
    let gone = u64::try_from(count).unwrap_or(u64::MAX);
    journal.afterwards(move |unlocked| unlocked.counters.remove_quarantined(gone));
    Ok(count)
}
