//! Contacts: added from the directory, refreshed from it, read from the database.

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_core::fingerprint::Fingerprint;
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

/// Looks a user up, checks the keys and keeps the contact. Adding it again refreshes it.
pub async fn add(unlocked: &Arc<Unlocked>, user_id: &UserId) -> Result<Contact, Error> {
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
pub(crate) async fn refresh(unlocked: &Arc<Unlocked>, user_ids: &[UserId]) -> Result<(), Error> {
    let entries = look_up(unlocked, user_ids).await?;
    let asked: BTreeSet<&str> = user_ids.iter().map(UserId::as_str).collect();
    let mut journal = Journal::begin(unlocked).await?;
    for entry in entries
        .iter()
        .filter(|entry| asked.contains(entry.user_id.as_str()))
    {
        follow(&mut journal, entry).await?;
    }
    Ok(journal.commit().await?)
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
async fn follow(journal: &mut Journal, entry: &wire::DirectoryEntry) -> Result<(), Error> {
    let Ok(user_id) = entry.user_id.parse::<UserId>() else {
        return Ok(());
    };
    let known = contacts::find_in(journal.tx(), &user_id).await?;
    let followed = match directory::follow(entry, known.as_ref(), journal.now_ms()) {
        Ok(followed) if followed.changed => followed,
        Ok(_) => return Ok(()),
        Err(refused) => {
            tracing::warn!(%refused, "a directory entry was not followed");
            return Ok(());
        }
    };
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

/// The contact's half of the digits that two people compare (D26), of its newest key.
pub fn fingerprint(contact: &Contact) -> Option<Fingerprint> {
    let key = contact.active_key().or(contact.keys.first())?;
    Some(Fingerprint::of(
        &key.box_key,
        &key.sign_key,
        &contact.user_id,
    ))
}
