//! What of a contact is other than before: stored, told, and what waits for the contact held or set free (D10, D25).

use connect_store::codes::{EventKind, KeyState, Trust};
use connect_store::contacts::{self, Contact, ContactKey};
use connect_store::events::NewEvent;

use crate::casework::epochs;
use crate::error::Error;
use crate::holds;
use crate::journal::Journal;
use crate::roster;

/// A change of one contact, in its transaction.
pub(crate) async fn take(
    journal: &mut Journal,
    before: Option<&Contact>,
    after: &Contact,
) -> Result<(), Error> {
    if take_one(journal, before, after).await? {
        recount(journal).await?;
    }
    Ok(())
}

/// Changes of many contacts, each with what was known before: what they come to is counted once.
pub(crate) async fn take_all(
    journal: &mut Journal,
    changes: &[(Option<&Contact>, Contact)],
) -> Result<(), Error> {
    let mut is_notable = false;
    for (before, after) in changes {
        is_notable |= take_one(journal, *before, after).await?;
    }
    if is_notable {
        recount(journal).await?;
    }
    Ok(())
}

/// Returns whether there are more or fewer now for somebody to look at.
async fn take_one(
    journal: &mut Journal,
    before: Option<&Contact>,
    after: &Contact,
) -> Result<bool, Error> {
    contacts::put(journal.tx(), before, after).await?;
    let Some(before) = before else {
        // A group's roster may have named somebody whom the directory did not know then.
        holds::follow_contact(journal, after).await?;
        tell(journal, after, EventKind::ContactChanged).await?;
        return Ok(false);
    };
    let is_told = tell_of_keys(journal, before, after).await?;
    if !is_told {
        tell(journal, after, EventKind::ContactChanged).await?;
    }
    if active(before) != active(after) {
        epochs::follow_key_change(journal, &after.user_id).await?;
    }
    if is_other(before, after) {
        let held = holds::follow_contact(journal, after).await?;
        if active(before) != active(after) {
            roster::tell_again(journal, after).await?;
        }
        if is_undecided(after) && !(is_undecided(before) && active(before) == active(after)) {
            tell_of_hold(journal, after, held).await?;
        }
    }
    let notable = |contact: &Contact| {
        (
            contact.trust == Trust::Changed,
            contact.contradiction.is_some(),
        )
    };
    Ok(notable(before) != notable(after))
}

fn active(contact: &Contact) -> Option<connect_proto::hash::Digest> {
    contact.active_key().map(|key| key.digest)
}

/// The key, or what was decided about it.
fn is_other(before: &Contact, after: &Contact) -> bool {
    let standing = |contact: &Contact| {
        let decided = contact.active_key().and_then(ContactKey::decided);
        (active(contact), contact.trust, decided)
    };
    standing(before) != standing(after)
}

/// A key that somebody decided against is decided about.
fn is_undecided(contact: &Contact) -> bool {
    let decided = contact.active_key().and_then(ContactKey::decided);
    contact.trust == Trust::Changed && decided.is_none()
}

/// Returns whether there was anything to tell.
async fn tell_of_keys(
    journal: &mut Journal,
    before: &Contact,
    after: &Contact,
) -> Result<bool, Error> {
    let mut is_told = false;
    for key in gone_bad(before, after) {
        let event = NewEvent {
            reason: Some(key.state.word()),
            ..about(journal, after, EventKind::KeyRevoked)
        };
        journal.append(&event).await?;
        is_told = true;
    }
    if let Some(key) = after
        .active_key()
        .filter(|key| active(before) != Some(key.digest))
    {
        let event = NewEvent {
            reason: Some(after.trust.word()),
            range: Some((u64::from(is_vouched_for(after, key)), key.revision)),
            ..about(journal, after, EventKind::KeyChanged)
        };
        journal.append(&event).await?;
        is_told = true;
    }
    if let Some((how, _)) = after
        .contradiction
        .filter(|_| before.contradiction.is_none())
    {
        let event = NewEvent {
            reason: Some(how.word()),
            ..about(journal, after, EventKind::DirectoryContradiction)
        };
        journal.append(&event).await?;
        is_told = true;
    }
    Ok(is_told)
}

/// Keys that were known in a better state: revoked, or out of use without another one to take their place.
fn gone_bad<'c>(before: &'c Contact, after: &'c Contact) -> impl Iterator<Item = &'c ContactKey> {
    let is_left_without = after.active_key().is_none();
    after.keys.iter().filter(move |key| {
        let known = before.keys.iter().find(|known| known.digest == key.digest);
        let is_news = known.is_some_and(|known| known.state != key.state);
        let is_bad = matches!(key.state, KeyState::Revoked | KeyState::Compromised);
        is_news && (is_bad || is_left_without)
    })
}

/// The key before signed for it, and that one is in nobody else's hands.
pub fn is_vouched_for(contact: &Contact, key: &ContactKey) -> bool {
    let mut keys = contact.keys.iter();
    let older = keys.find(|older| older.revision + 1 == key.revision);
    key.countersigned && older.is_some_and(|older| older.state != KeyState::Compromised)
}

async fn tell_of_hold(journal: &mut Journal, contact: &Contact, held: u64) -> Result<(), Error> {
    let event = NewEvent {
        range: Some((held, held)),
        ..about(journal, contact, EventKind::KeyChangeHold)
    };
    Ok(journal.append(&event).await?)
}

async fn tell(journal: &mut Journal, contact: &Contact, kind: EventKind) -> Result<(), Error> {
    let event = about(journal, contact, kind);
    Ok(journal.append(&event).await?)
}

fn about<'c>(journal: &Journal, contact: &'c Contact, kind: EventKind) -> NewEvent<'c> {
    NewEvent {
        user_id: Some(contact.user_id.as_str()),
        ..NewEvent::of(kind, journal.now_ms())
    }
}

async fn recount(journal: &mut Journal) -> Result<(), Error> {
    let (undecided, contradicted) = contacts::count_notable(journal.tx()).await?;
    journal.afterwards(move |unlocked| unlocked.counters.set_notable(undecided, contradicted));
    Ok(())
}
