//! Contacts: added from the directory, refreshed from it, read from the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::wire;
use connect_store::codes::EventKind;
use connect_store::contacts::{self, Contact, Which};
use connect_store::events::NewEvent;

use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;
use crate::updates::{self, Statement};
use crate::{changes, directory};

type Entries = BTreeMap<UserId, wire::DirectoryEntry>;

/// By the digest of the bundle that published the key.
type Fingerprints = BTreeMap<Digest, String>;

/// Looks a user up, checks the keys and keeps the contact. Adding it again refreshes it.
pub async fn add(unlocked: &Arc<Unlocked>, user_id: &UserId) -> Result<Contact, Error> {
    if user_id == unlocked.user_id() {
        return Err(Error::invalid(
            "user_id",
            crate::error::Reason::NotSupported,
        ));
    }
    let user_ids = std::slice::from_ref(user_id);
    let _turn = unlocked.directory_turn.lock().await;
    let entries = look_up(unlocked, user_ids).await?;
    let mut journal = follow_all(unlocked, user_ids, entries, &[]).await?;
    contacts::set_removed(journal.tx(), user_id, false).await?;
    let contact = contacts::find_in(journal.tx(), user_id).await?;
    // Whom the directory does not know was not added, and no log may say so.
    let contact = contact.ok_or(Error::NotFound)?;
    journal.commit().await?;
    Ok(contact)
}

pub async fn find(unlocked: &Unlocked, user_id: &UserId) -> Result<Contact, Error> {
    contacts::find(&unlocked.store, user_id)
        .await?
        .filter(|contact| !contact.removed)
        .ok_or(Error::NotFound)
}

/// Takes a contact off the list. Conversation and keys stay, and what is queued still goes out.
pub async fn remove(unlocked: &Arc<Unlocked>, user_id: &UserId) -> Result<Contact, Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let contact = contacts::find_in(journal.tx(), user_id)
        .await?
        .filter(|contact| !contact.removed)
        .ok_or(Error::NotFound)?;
    contacts::set_removed(journal.tx(), user_id, true).await?;
    tell_changed(&mut journal, user_id).await?;
    journal.commit().await?;
    Ok(contact)
}

/// Whoever writes is a contact again.
pub(crate) async fn put_back(journal: &mut Journal, user_id: &UserId) -> Result<(), Error> {
    contacts::set_removed(journal.tx(), user_id, false).await?;
    tell_changed(journal, user_id).await
}

pub(crate) async fn tell_changed(journal: &mut Journal, user_id: &UserId) -> Result<(), Error> {
    let event = NewEvent {
        user_id: Some(user_id.as_str()),
        ..NewEvent::of(EventKind::ContactChanged, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// By user id; one more than `limit` tells whether there is a next page.
pub async fn list(
    unlocked: &Unlocked,
    after: Option<&UserId>,
    limit: u32,
) -> Result<Vec<Contact>, Error> {
    Ok(contacts::list(&unlocked.store, Which::All, after, limit).await?)
}

/// Takes what the directory says now and what the relay signed for: one request per 200 users, one transaction. A
/// statement counts also where the directory does not answer; that is told all the same. From question to transaction one
/// refresh at a time: an answer that another one has overtaken would look like a directory that goes back.
pub(crate) async fn refresh(
    unlocked: &Arc<Unlocked>,
    user_ids: &[UserId],
    statements: &[Statement],
) -> Result<(), Error> {
    let _turn = unlocked.directory_turn.lock().await;
    let (entries, asked) = match look_up(unlocked, user_ids).await {
        Ok(entries) => (entries, Ok(())),
        Err(error) if statements.is_empty() => return Err(error),
        Err(error) => (Vec::new(), Err(error)),
    };
    let journal = follow_all(unlocked, user_ids, entries, statements).await?;
    journal.commit().await?;
    asked
}

/// Whoever of these is no contact becomes one, as the directory knows them.
pub(crate) async fn look_up_unknown(
    unlocked: &Arc<Unlocked>,
    user_ids: &[UserId],
) -> Result<(), Error> {
    let known = contacts::find_many(&unlocked.store, user_ids).await?;
    let is_unknown = |user: &&UserId| !known.contains_key(*user) && *user != unlocked.user_id();
    let unknown: Vec<UserId> = user_ids.iter().filter(is_unknown).cloned().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    refresh(unlocked, &unknown, &[]).await
}

/// A call that waits for the relay holds the keys: it ends with the session.
pub(crate) async fn look_up(
    unlocked: &Unlocked,
    user_ids: &[UserId],
) -> Result<Vec<wire::DirectoryEntry>, Error> {
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let me = unlocked.me();
    tokio::select! {
        () = unlocked.ended() => Err(Error::Locked),
        entries = unlocked.uplink.lookup(me.credentials(), now_ms, &mut chance, user_ids) => Ok(entries?),
    }
}

/// What was known is read within the transaction that changes it: what is decided about a contact meanwhile stays.
async fn follow_all(
    unlocked: &Arc<Unlocked>,
    user_ids: &[UserId],
    entries: Vec<wire::DirectoryEntry>,
    statements: &[Statement],
) -> Result<Journal, Error> {
    let entries = by_user(user_ids, entries);
    let fingerprints = fingerprints(unlocked, user_ids, &entries).await?;
    let mut journal = Journal::begin(unlocked).await?;
    let now_ms = journal.now_ms();
    let known = contacts::find_many_in(journal.tx(), user_ids).await?;
    let mut changed = Vec::new();
    for user_id in user_ids.iter().collect::<BTreeSet<_>>() {
        let before = known.get(user_id);
        let said = statements
            .iter()
            .filter(|statement| statement.user_id == *user_id);
        let Some(mut after) = follow(entries.get(user_id), said, before, now_ms) else {
            continue;
        };
        if before == Some(&after) {
            continue;
        }
        for key in &mut after.keys {
            if key.fingerprint.is_none() {
                key.fingerprint = fingerprints.get(&key.digest).cloned();
            }
        }
        changed.push((before, after));
    }
    changes::take_all(&mut journal, &changed).await?;
    Ok(journal)
}

fn by_user(user_ids: &[UserId], entries: Vec<wire::DirectoryEntry>) -> Entries {
    let asked: BTreeSet<&UserId> = user_ids.iter().collect();
    let with_user = |entry: wire::DirectoryEntry| Some((entry.user_id.parse().ok()?, entry));
    let entries = entries.into_iter().filter_map(with_user);
    entries
        .filter(|(user_id, _)| asked.contains(user_id))
        .collect()
}

/// What a contact is from now on. An entry that is not believed changes nothing but that it is noticed.
fn follow<'s>(
    entry: Option<&wire::DirectoryEntry>,
    statements: impl Iterator<Item = &'s Statement>,
    before: Option<&Contact>,
    now_ms: u64,
) -> Option<Contact> {
    let mut contact = before.cloned();
    for statement in statements {
        if let Some(contact) = &mut contact {
            updates::apply(contact, statement, now_ms);
        }
    }
    let Some(entry) = entry else { return contact };
    match directory::follow(entry, contact.as_ref(), now_ms) {
        Ok(followed) => Some(followed),
        Err(refused) => {
            tracing::warn!(%refused, "a directory entry was not followed");
            let contact = contact.as_mut()?;
            contact
                .contradiction
                .get_or_insert((refused.into(), now_ms));
            Some(contact.clone())
        }
    }
}

/// Of the keys that are new here. Thousands of rounds a key: neither within the transaction nor on the runtime's threads.
async fn fingerprints(
    unlocked: &Unlocked,
    user_ids: &[UserId],
    entries: &Entries,
) -> Result<Fingerprints, Error> {
    let known = contacts::find_many(&unlocked.store, user_ids).await?;
    let now_ms = unlocked.clock.now_ms();
    let mut new = Vec::new();
    for (user_id, entry) in entries {
        let Ok(contact) = directory::follow(entry, known.get(user_id), now_ms) else {
            continue;
        };
        let keys = contact.keys.into_iter();
        new.extend(
            keys.filter(|key| key.fingerprint.is_none())
                .map(|key| (user_id.clone(), key)),
        );
    }
    if new.is_empty() {
        return Ok(Fingerprints::new());
    }
    let computing = tokio::task::spawn_blocking(move || {
        new.into_iter()
            .map(|(user_id, key)| (key.digest, key.compute_fingerprint(&user_id)))
            .collect()
    });
    computing
        .await
        .map_err(|_| Error::Internal("fingerprints ended early"))
}

/// The contact's half of the digits that two people compare (D26), of its newest key.
pub fn fingerprint(contact: &Contact) -> Option<String> {
    let key = contact.active_key().or(contact.keys.first())?;
    let known = key.fingerprint.clone();
    Some(known.unwrap_or_else(|| key.compute_fingerprint(&contact.user_id)))
}
