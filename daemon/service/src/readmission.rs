//! What was put aside because of whom it is from comes in once somebody decides otherwise.

use std::sync::Arc;

use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::{codec, wire};
use connect_store::contacts::{self, Contact};
use connect_store::quarantine;

use crate::error::Error;
use crate::journal::Journal;
use crate::receive::carry_out_all;
use crate::senders::Senders;
use crate::unlocked::Unlocked;
use crate::verdict::{Verdict, judge_as_of};

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
        let mut after = FIRST;
        while !here.ending.is_cancelled() {
            let mut journal = Journal::begin(&here).await?;
            let Some(contact) = contacts::find_in(journal.tx(), &user_id).await? else {
                return Ok(());
            };
            match readmit(&mut journal, &decided(contact), reason, after).await? {
                Some(last) => after = last,
                None => return Ok(()),
            }
            journal.commit().await?;
        }
        Err(Error::Locked)
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
    let mut after = FIRST;
    while let Some(last) = readmit(journal, decided, reason, after).await? {
        after = last;
    }
    Ok(())
}

/// When one came, and its digest.
type Place = (u64, Digest);

const FIRST: Place = (0, [0; 32]);

/// Takes in some of it, judged by the keys as they stood when it came; what is refused for the same reason stays as it is, so
/// that nothing is looked at twice. Returns the last one where there may be more.
async fn readmit(
    journal: &mut Journal,
    contact: &Contact,
    reason: &'static str,
    after: Place,
) -> Result<Option<Place>, Error> {
    let sender = contact.user_id.as_str();
    let aside = quarantine::list_of(journal.tx(), sender, reason, after, AT_ONCE).await?;
    let last = aside.last().map(|one| (one.stored_ms, one.digest));
    let is_all = aside.len() < AT_ONCE as usize;
    let senders = Senders::only(contact.clone());
    let unlocked = Arc::clone(journal.unlocked());
    let (mut envelopes, mut verdicts) = (Vec::new(), Vec::new());
    for one in &aside {
        let envelope: wire::Envelope =
            codec::decode(&one.bytes).map_err(|_| Error::StorageFailed("quarantine"))?;
        let verdict = judge_as_of(&unlocked, &envelope, &senders, one.stored_ms);
        if matches!(&verdict, Verdict::Refused(refusal) if refusal.name() == reason) {
            continue;
        }
        quarantine::remove(journal.tx(), &one.digest).await?;
        envelopes.push(envelope);
        verdicts.push(verdict);
    }
    let gone = u64::try_from(envelopes.len()).unwrap_or(u64::MAX);
    let judged = envelopes.iter().zip(verdicts).collect();
    carry_out_all(journal, &senders, judged).await?;
    journal.afterwards(move |unlocked| unlocked.counters.remove_quarantined(gone));
    Ok(last.filter(|_| !is_all))
}
