//! Contacts: added from the directory, refreshed from it, read from the database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::wire;
use connect_store::codes::EventKind;
use connect_store::contacts::{self, Contact};
use connect_store::events::NewEvent;

use crate::directory;
use crate::error::Error;
use crate::holds;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

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
    let mut journal = followed(unlocked, std::slice::from_ref(user_id)).await?;
    let contact = contacts::find_in(journal.tx(), user_id).await?;
    // Whom the directory does not know was not added, and no log may say so.
    let contact = contact.ok_or(Error::NotFound)?;
    journal.commit().await?;
    Ok(contact)
}

pub async fn find(unlocked: &Unlocked, user_id: &UserId) -> Result<Contact, Error> {
    contacts::find(&unlocked.store, user_id)
        .await?
        .ok_or(Error::NotFound)
}

/// By user id; one more than `limit` tells whether there is a next page.
pub async fn list(
    unlocked: &Unlocked,
    after: Option<&UserId>,
    limit: u32,
) -> Result<Vec<Contact>, Error> {
    Ok(contacts::list(&unlocked.store, after, limit).await?)
}

/// Takes what the directory says now: one request per 200 users, one transaction.
pub(crate) async fn refresh(unlocked: &Arc<Unlocked>, user_ids: &[UserId]) -> Result<(), Error> {
    let journal = followed(unlocked, user_ids).await?;
    Ok(journal.commit().await?)
}

async fn followed(unlocked: &Arc<Unlocked>, user_ids: &[UserId]) -> Result<Journal, Error> {
    let mut entries = look_up(unlocked, user_ids).await?;
    let asked: BTreeSet<&str> = user_ids.iter().map(UserId::as_str).collect();
    entries.retain(|entry| asked.contains(entry.user_id.as_str()));
    let fingerprints = fingerprints(unlocked, &entries).await?;
    let mut journal = Journal::begin(unlocked).await?;
    for entry in &entries {
        follow(&mut journal, entry, &fingerprints).await?;
    }
    Ok(journal)
}

/// A call that waits for the relay holds the keys: it ends with the session.
async fn look_up(
    unlocked: &Unlocked,
    user_ids: &[UserId],
) -> Result<Vec<wire::DirectoryEntry>, Error> {
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    tokio::select! {
        () = unlocked.ended() => Err(Error::Locked),
        entries = unlocked.uplink.lookup(unlocked.credentials(), now_ms, &mut chance, user_ids) => Ok(entries?),
    }
}

/// What was known is read within the transaction that changes it: two refreshes at once take turns. An entry that is
/// not believed changes nothing.
async fn follow(
    journal: &mut Journal,
    entry: &wire::DirectoryEntry,
    fingerprints: &Fingerprints,
) -> Result<(), Error> {
    let Ok(user_id) = entry.user_id.parse::<UserId>() else {
        return Ok(());
    };
    let known = contacts::find_in(journal.tx(), &user_id).await?;
    let mut followed = match directory::follow(entry, known.as_ref(), journal.now_ms()) {
        Ok(followed) if followed.changed => followed,
        Ok(_) => return Ok(()),
        Err(refused) => {
            tracing::warn!(%refused, "a directory entry was not followed");
            return Ok(());
        }
    };
    for key in &mut followed.contact.keys {
        if key.fingerprint.is_none() {
            key.fingerprint = fingerprints.get(&key.digest).cloned();
        }
    }
    contacts::put(journal.tx(), &followed.contact).await?;
    if followed.key_changed {
        holds::follow_contact(journal, &followed.contact).await?;
    }
    let kind = if followed.key_changed {
        EventKind::KeyChanged
    } else {
        EventKind::ContactChanged
    };
    let event = NewEvent {
        user_id: Some(user_id.as_str()),
        ..NewEvent::of(kind, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// Of the keys that are new here. Thousands of rounds a key: neither within the transaction nor on the runtime's threads.
async fn fingerprints(
    unlocked: &Unlocked,
    entries: &[wire::DirectoryEntry],
) -> Result<Fingerprints, Error> {
    let mut new = Vec::new();
    for entry in entries {
        let Ok(user_id) = entry.user_id.parse::<UserId>() else {
            continue;
        };
        let known = contacts::find(&unlocked.store, &user_id).await?;
        let Ok(followed) = directory::follow(entry, known.as_ref(), unlocked.clock.now_ms()) else {
            continue;
        };
        let keys = followed.contact.keys.into_iter();
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
