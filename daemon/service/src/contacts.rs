//! Contacts: added from the directory, refreshed from it, read from the database.

use std::collections::BTreeSet;

use connect_proto::ids::UserId;
use connect_proto::wire;
use connect_store::codes::EventKind;
use connect_store::contacts::{self, Contact};
use connect_store::events::NewEvent;

use crate::directory::{self, Followed};
use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// Looks a user up, checks the keys and keeps the contact. Adding it again refreshes it.
pub async fn add(unlocked: &Unlocked, user_id: &UserId) -> Result<Contact, Error> {
    if user_id == unlocked.user_id() {
        return Err(Error::invalid(
            "user_id",
            crate::error::Reason::NotSupported,
        ));
    }
    refresh(unlocked, std::slice::from_ref(user_id)).await?;
    contacts::find(&unlocked.store, user_id)
        .await?
        .ok_or(Error::NotFound)
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
pub(crate) async fn refresh(unlocked: &Unlocked, user_ids: &[UserId]) -> Result<(), Error> {
    let now_ms = unlocked.clock.now_ms();
    let entries = unlocked
        .uplink
        .lookup(
            unlocked.credentials(),
            now_ms,
            &mut unlocked.chance.clone(),
            user_ids,
        )
        .await?;
    let asked: BTreeSet<&str> = user_ids.iter().map(UserId::as_str).collect();
    let mut followed = Vec::with_capacity(entries.len());
    for entry in entries
        .iter()
        .filter(|entry| asked.contains(entry.user_id.as_str()))
    {
        followed.extend(follow(unlocked, entry, now_ms).await?);
    }
    let followed = with_fingerprints(followed).await?;
    let mut journal = Journal::begin(unlocked).await?;
    for news in &followed {
        contacts::put(journal.tx(), &news.contact).await?;
        let kind = if news.key_changed {
            EventKind::KeyChanged
        } else {
            EventKind::ContactChanged
        };
        let event = NewEvent {
            user_id: Some(news.contact.user_id.as_str()),
            ..NewEvent::of(kind, now_ms)
        };
        journal.append(&event).await?;
    }
    journal.commit().await?;
    Ok(())
}

/// None where nothing changed, or where the entry is not believed: then what was known stays.
async fn follow(
    unlocked: &Unlocked,
    entry: &wire::DirectoryEntry,
    now_ms: u64,
) -> Result<Option<Followed>, Error> {
    let Ok(user_id) = entry.user_id.parse::<UserId>() else {
        return Ok(None);
    };
    let known = contacts::find(&unlocked.store, &user_id).await?;
    match directory::follow(entry, known.as_ref(), now_ms) {
        Ok(followed) if followed.changed => Ok(Some(followed)),
        Ok(_) => Ok(None),
        Err(refused) => {
            tracing::warn!(%refused, "a directory entry was not followed");
            Ok(None)
        }
    }
}

/// Thousands of rounds a key: neither within the transaction nor on the runtime's threads.
async fn with_fingerprints(mut followed: Vec<Followed>) -> Result<Vec<Followed>, Error> {
    let computing = tokio::task::spawn_blocking(move || {
        for contact in followed.iter_mut().map(|news| &mut news.contact) {
            for key in &mut contact.keys {
                if key.fingerprint.is_none() {
                    key.fingerprint = Some(key.compute_fingerprint(&contact.user_id));
                }
            }
        }
        followed
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
