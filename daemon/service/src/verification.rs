//! Verification of many: an organisation signs whose keys are whose, and the administrator says whose word counts (D25).

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_core::fingerprint::one_side;
use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::sign::{Purpose, verify};
use connect_store::codes::KeyDecision;
use connect_store::contacts::{self, Contact};
use connect_store::verifications::{self, Newest};

use crate::changes;
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::trust::decided;
use crate::unlocked::Unlocked;

/// Contacts that change in one transaction: nobody waits long for the database.
const AT_ONCE: usize = 200;

/// A statement whose signature verified under the key of an organisation whose word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    key: SignPublicKey,
    digest: Digest,
}

/// What an organisation states.
#[derive(Debug)]
pub struct Statement {
    /// Rises with every file of the organisation's.
    pub serial: u64,
    pub valid_until_ms: u64,
    pub entries: Vec<Entry>,
}

#[derive(Debug)]
pub struct Entry {
    pub user_id: UserId,
    pub key: Named,
}

/// How an entry names the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its bundle's digest.
    Bundle(Digest),
    /// By the contact's thirty digits, as `Fingerprint` writes them.
    Fingerprint(String),
}

impl Named {
    /// However the digits were grouped.
    pub fn fingerprint(told: &str) -> Option<Self> {
        one_side(told).map(Self::Fingerprint)
    }
}

/// What an entry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Verified,
    /// It was verified before, by whomever.
    Already,
    UnknownContact,
    /// The contact has another key than the organisation says.
    OtherKey,
    /// The contact has no key that is in use.
    Revoked,
    /// Somebody here decided against the key: that takes a person to undo.
    Rejected,
}

/// Before anything of a statement is looked at.
pub fn check(
    organisations: &[SignPublicKey],
    statement: &[u8],
    signature: &[u8],
) -> Result<Signed, Error> {
    organisations
        .iter()
        .find(|key| verify(Purpose::Verification, statement, signature, key).is_ok())
        .map(|key| Signed {
            key: *key,
            digest: sha256(statement),
        })
        .ok_or(Error::invalid("signature", Reason::Mismatch))
}

/// Verifies those whose active key is the one that is named, and tells of each what it came to. The same file may be taken
/// again, for contacts that came since; one that is older than what was taken, or no longer valid, may not.
pub async fn take(
    unlocked: &Arc<Unlocked>,
    signed: &Signed,
    statement: &Statement,
) -> Result<Vec<Outcome>, Error> {
    if statement.valid_until_ms < unlocked.clock.now_ms() {
        return Err(Error::invalid("statement", Reason::Expired));
    }
    let mut outcomes = Vec::with_capacity(statement.entries.len());
    let mut batches = statement.entries.chunks(AT_ONCE);
    // A file without entries counts too: none before it is taken any more.
    let mut batch = batches.next().unwrap_or_default();
    loop {
        let mut journal = Journal::begin(unlocked).await?;
        check_serial(&mut journal, signed, statement.serial).await?;
        take_batch(&mut journal, batch, &mut outcomes).await?;
        journal.commit().await?;
        match batches.next() {
            Some(next) => batch = next,
            None => return Ok(outcomes),
        }
    }
}

async fn check_serial(journal: &mut Journal, signed: &Signed, serial: u64) -> Result<(), Error> {
    let newest = Newest {
        serial,
        digest: signed.digest,
    };
    match verifications::find_in(journal.tx(), &signed.key).await? {
        Some(known) if known == newest => Ok(()),
        Some(known) if known.serial >= serial => Err(Error::RevisionConflict),
        _ => {
            let now_ms = journal.now_ms();
            Ok(verifications::put(journal.tx(), &signed.key, &newest, now_ms).await?)
        }
    }
}

async fn take_batch(
    journal: &mut Journal,
    batch: &[Entry],
    outcomes: &mut Vec<Outcome>,
) -> Result<(), Error> {
    let users: Vec<UserId> = batch.iter().map(|entry| entry.user_id.clone()).collect();
    let known: BTreeMap<UserId, Contact> = contacts::find_many_in(journal.tx(), &users).await?;
    let mut changed: BTreeMap<UserId, Contact> = BTreeMap::new();
    for entry in batch {
        // Somebody may be named twice.
        let so_far = changed.get(&entry.user_id);
        let Some(contact) = so_far.or_else(|| known.get(&entry.user_id)) else {
            outcomes.push(Outcome::UnknownContact);
            continue;
        };
        let outcome = judge(contact, &entry.key);
        if outcome == Outcome::Verified {
            let after = decided(contact, KeyDecision::Organisation, journal.now_ms());
            changed.insert(entry.user_id.clone(), after);
        }
        outcomes.push(outcome);
    }
    let changed = changed.into_iter();
    let changed: Vec<_> = changed
        .map(|(user, after)| (known.get(&user), after))
        .collect();
    changes::take_all(journal, &changed).await
}

fn judge(contact: &Contact, named: &Named) -> Outcome {
    let Some(active) = contact.active_key() else {
        return Outcome::Revoked;
    };
    let is_same = match named {
        Named::Bundle(digest) => active.digest == *digest,
        Named::Fingerprint(digits) => {
            let known = active.fingerprint.clone();
            let known = known.unwrap_or_else(|| active.compute_fingerprint(&contact.user_id));
            known == *digits
        }
    };
    match active.decided() {
        _ if !is_same => Outcome::OtherKey,
        Some(KeyDecision::Rejected) => Outcome::Rejected,
        Some(KeyDecision::Compared | KeyDecision::Organisation) => Outcome::Already,
        Some(KeyDecision::Accepted) | None => Outcome::Verified,
    }
}
