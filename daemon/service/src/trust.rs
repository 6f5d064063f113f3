//! Whether a contact's key is the person's own: digits that two people compare, and decisions about a key that changed
//! (D25, D26).

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_core::fingerprint::{BothSides, Fingerprint};
use connect_core::refusal::Refusal;
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_store::codes::KeyDecision;
use connect_store::contacts::{self, Contact, ContactKey, Which};
use connect_store::outbox;

use crate::directory::trust_of;
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::readmission::{readmit_most, readmit_rest};
use crate::unlocked::Unlocked;
use crate::{changes, holds};

/// In the audit log, a comparison that failed.
const MISMATCH: &str = "mismatch";

/// What came under a key that somebody decided against.
const REJECTED: &str = Refusal::RejectedKey.name();

/// What is decided about the key that a contact has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Accept,
    Reject,
}

/// What the two compare, of the keys that they have now.
pub async fn fingerprint(unlocked: &Arc<Unlocked>, user_id: &UserId) -> Result<BothSides, Error> {
    let mine = own_side(unlocked).await?;
    let contact = contacts::find(&unlocked.store, user_id)
        .await?
        .ok_or(Error::NotFound)?;
    both_sides(&mine, &contact)
}

/// Whether `told` is what this side shows; then the contact is verified, whatever was decided about its key before. The
/// comparison is made here and nowhere else, on the key as it is in the transaction that notes its outcome.
pub async fn compare(
    unlocked: &Arc<Unlocked>,
    user_id: &UserId,
    told: &str,
    field: &'static str,
) -> Result<bool, Error> {
    let mine = own_side(unlocked).await?;
    let known = contacts::find(&unlocked.store, user_id)
        .await?
        .ok_or(Error::NotFound)?;
    if both_sides(&mine, &known)?.are(told) == Some(true) {
        readmit_before(unlocked, &known, KeyDecision::Compared).await?;
    }
    let mut journal = Journal::begin(unlocked).await?;
    let contact = contacts::find_in(journal.tx(), user_id)
        .await?
        .ok_or(Error::NotFound)?;
    let is_same = both_sides(&mine, &contact)?
        .are(told)
        .ok_or(Error::invalid(field, Reason::Malformed))?;
    if is_same {
        let verified = decided(&contact, KeyDecision::Compared, journal.now_ms());
        take(&mut journal, &contact, &verified).await?;
    } else {
        journal.ends_as(MISMATCH);
    }
    journal.commit().await?;
    Ok(is_same)
}

/// What waits for the contact goes out under the key, or fails. `key` is what the decider saw, where it says so.
pub async fn decide(
    unlocked: &Arc<Unlocked>,
    user_id: &UserId,
    choice: Choice,
    key: Option<&Digest>,
) -> Result<Contact, Error> {
    let known = contacts::find(&unlocked.store, user_id)
        .await?
        .ok_or(Error::NotFound)?;
    if choice == Choice::Accept && is_about(&known, key) {
        readmit_before(unlocked, &known, KeyDecision::Accepted).await?;
    }
    let mut journal = Journal::begin(unlocked).await?;
    let contact = contacts::find_in(journal.tx(), user_id)
        .await?
        .ok_or(Error::NotFound)?;
    let active = contact.active_key().ok_or(Error::KeyRevoked)?;
    if !is_about(&contact, key) {
        return Err(Error::RevisionConflict);
    }
    let what = match (choice, active.decided()) {
        (Choice::Reject, _) => KeyDecision::Rejected,
        // Who verified it has said more.
        (Choice::Accept, Some(verified @ (KeyDecision::Compared | KeyDecision::Organisation))) => {
            verified
        }
        (Choice::Accept, _) => KeyDecision::Accepted,
    };
    if active.decided() == Some(what) {
        return Ok(contact);
    }
    let after = decided(&contact, what, journal.now_ms());
    if what == KeyDecision::Rejected {
        holds::give_up(&mut journal, &after).await?;
    }
    take(&mut journal, &contact, &after).await?;
    journal.commit().await?;
    Ok(after)
}

/// Whether the key that the decider saw, where it says which, is the one that the contact has.
fn is_about(contact: &Contact, seen: Option<&Digest>) -> bool {
    let active = contact.active_key().map(|key| key.digest);
    seen.is_none_or(|seen| active == Some(*seen))
}

fn is_rejected(contact: &Contact) -> bool {
    let decided = contact.active_key().and_then(ContactKey::decided);
    decided == Some(KeyDecision::Rejected)
}

/// Where the key was rejected until now: what came under it meanwhile, but for what the decision's own transaction takes in.
/// Nothing else would ever bring it in: its sender was told by no receipt that it came, and the relay has it no more.
async fn readmit_before(
    unlocked: &Arc<Unlocked>,
    known: &Contact,
    what: KeyDecision,
) -> Result<(), Error> {
    let rejected = known.active_key().map(|key| key.digest);
    if !is_rejected(known) {
        return Ok(());
    }
    let at_ms = unlocked.clock.now_ms();
    let decide = move |contact: Contact| {
        let is_same = contact.active_key().map(|key| key.digest) == rejected;
        if is_same {
            decided(&contact, what, at_ms)
        } else {
            contact
        }
    };
    readmit_most(unlocked, &known.user_id, REJECTED, decide).await
}

/// Notes a decision, and what follows from it.
async fn take(journal: &mut Journal, before: &Contact, after: &Contact) -> Result<(), Error> {
    changes::take(journal, Some(before), after).await?;
    if is_rejected(before) && !is_rejected(after) {
        readmit_rest(journal, after, REJECTED).await?;
    }
    Ok(())
}

/// Contacts that wait for a decision or were decided against, with what waits for each.
pub async fn pending(
    unlocked: &Unlocked,
    after: Option<&UserId>,
    limit: u32,
) -> Result<Vec<(Contact, u64)>, Error> {
    let contacts = contacts::list(&unlocked.store, Which::Undecided, after, limit).await?;
    let held: BTreeMap<String, u64> = outbox::count_held(&unlocked.store).await?;
    let with_held = contacts.into_iter().map(|contact| {
        let held = held.get(contact.user_id.as_str()).copied().unwrap_or(0);
        (contact, held)
    });
    Ok(with_held.collect())
}

/// The contact once that is decided about the key that it has now.
pub(crate) fn decided(contact: &Contact, what: KeyDecision, at_ms: u64) -> Contact {
    let mut after = contact.clone();
    let decision = contacts::Decision { what, at_ms };
    let is_active = |key: &&mut ContactKey| key.state == connect_store::codes::KeyState::Active;
    if let Some(key) = after.keys.iter_mut().find(is_active) {
        key.decision = Some(decision);
    }
    after.trust = trust_of(&after.keys);
    after
}

fn both_sides(mine: &str, contact: &Contact) -> Result<BothSides, Error> {
    let key = contact.active_key().ok_or(Error::KeyRevoked)?;
    let known = key.fingerprint.clone();
    let theirs = known.unwrap_or_else(|| key.compute_fingerprint(&contact.user_id));
    Ok(BothSides::of(mine, &theirs))
}

/// It takes thousands of rounds: not on the runtime's threads.
async fn own_side(unlocked: &Arc<Unlocked>) -> Result<String, Error> {
    let unlocked = Arc::clone(unlocked);
    let computing = tokio::task::spawn_blocking(move || {
        let account = &unlocked.me().account;
        Fingerprint::of(&account.box_key, &account.sign_key, &account.user_id).to_string()
    });
    computing
        .await
        .map_err(|_| Error::Internal("a fingerprint ended early"))
}
