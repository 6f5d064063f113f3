//! What the relay's directory says of a user, held against itself and against what was known before (§5.3, D10).

use connect_proto::bundle::{self, Bundle};
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::{routes, wire};
use connect_store::codes::{KeyState, Trust};
use connect_store::contacts::{Contact, ContactKey};
use connect_store::row::MAX_INTEGER;

/// Why a directory entry is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryRefused {
    #[error("a directory entry is malformed")]
    Malformed,
    #[error("a key bundle in the directory does not verify")]
    BadBundle,
    #[error("the key bundles of a directory entry do not follow each other")]
    BrokenChain,
    #[error("the directory contradicts what it said before")]
    Contradiction,
}

/// What following an entry changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    pub contact: Contact,
    /// The active key is another one than before.
    pub key_changed: bool,
    /// Anything at all is other than before.
    pub changed: bool,
}

/// Checks an entry and merges it into what is known. Keys are only added, and their states only get worse.
pub fn follow(
    entry: &wire::DirectoryEntry,
    known: Option<&Contact>,
    now_ms: u64,
) -> Result<Followed, EntryRefused> {
    let user_id: UserId = entry.user_id.parse().map_err(|_| EntryRefused::Malformed)?;
    let keys = merge_keys(read_keys(entry, &user_id)?, known)?;
    let profile = entry.profile.clone().unwrap_or_default();
    for field in [
        &profile.display_name,
        &profile.profession,
        &profile.organisation,
    ] {
        if field.len() > routes::MAX_PROFILE_FIELD {
            return Err(EntryRefused::Malformed);
        }
    }
    let mut contact = Contact {
        user_id,
        display_name: profile.display_name,
        profession: profile.profession,
        organisation: profile.organisation,
        attested: entry.attested,
        trust: known.map_or(Trust::Seen, |known| known.trust),
        update_revision: known.map_or(0, |known| known.update_revision),
        added_ms: known.map_or(now_ms, |known| known.added_ms),
        keys,
    };
    let key_changed = known.is_some_and(|known| {
        let digest = |contact: &Contact| contact.active_key().map(|key| key.digest);
        digest(known) != digest(&contact)
    });
    contact.trust = trust_after(contact.trust, contact.active_key().is_some(), key_changed);
    let changed = known != Some(&contact);
    Ok(Followed {
        contact,
        key_changed,
        changed,
    })
}

/// D25: a changed key of a verified contact holds what is sent; of a merely seen one it warns.
fn trust_after(before: Trust, has_active_key: bool, key_changed: bool) -> Trust {
    match (before, has_active_key, key_changed) {
        (_, false, _) => Trust::Revoked,
        (Trust::Verified, true, true) => Trust::Changed,
        (Trust::Unknown | Trust::Revoked, true, _) => Trust::Seen,
        (trust, true, _) => trust,
    }
}

fn read_keys(
    entry: &wire::DirectoryEntry,
    user_id: &UserId,
) -> Result<Vec<ContactKey>, EntryRefused> {
    let mut keys: Vec<ContactKey> = Vec::with_capacity(entry.keys.len());
    let mut previous_digest: Option<(u64, Option<Digest>)> = None;
    for published in &entry.keys {
        let signed = published.bundle.as_ref().ok_or(EntryRefused::Malformed)?;
        let bundle = bundle::open(signed).map_err(|_| EntryRefused::BadBundle)?;
        let digest = bundle::digest(signed);
        check_place(&bundle, digest, user_id, previous_digest)?;
        let state = key_state(published.state());
        if state == KeyState::Active && !keys.is_empty() {
            return Err(EntryRefused::BrokenChain);
        }
        previous_digest = Some((bundle.revision, bundle.previous_digest));
        keys.push(ContactKey {
            revision: bundle.revision,
            box_key: bundle.box_key,
            sign_key: bundle.sign_key,
            digest,
            state,
            changed_ms: published.changed_ms,
            fingerprint: None,
        });
    }
    if keys.is_empty() {
        return Err(EntryRefused::Malformed);
    }
    Ok(keys)
}

/// Newest first, each the one that its successor named.
fn check_place(
    bundle: &Bundle,
    digest: Digest,
    user_id: &UserId,
    newer: Option<(u64, Option<Digest>)>,
) -> Result<(), EntryRefused> {
    if bundle.user_id != *user_id || !(1..=MAX_INTEGER).contains(&bundle.revision) {
        return Err(EntryRefused::BadBundle);
    }
    match newer {
        Some((revision, named)) if bundle.revision + 1 != revision || named != Some(digest) => {
            Err(EntryRefused::BrokenChain)
        }
        _ => Ok(()),
    }
}

fn key_state(state: wire::KeyState) -> KeyState {
    match state {
        wire::KeyState::KeyActive => KeyState::Active,
        wire::KeyState::KeyReplaced => KeyState::Replaced,
        wire::KeyState::KeyRevoked => KeyState::Revoked,
        wire::KeyState::KeyCompromised => KeyState::Compromised,
    }
}

/// How bad a state is: a directory may make it worse, never better (D10).
fn rank(state: KeyState) -> u8 {
    match state {
        KeyState::Active => 0,
        KeyState::Replaced => 1,
        KeyState::Revoked => 2,
        KeyState::Compromised => 3,
    }
}

fn merge_keys(
    published: Vec<ContactKey>,
    known: Option<&Contact>,
) -> Result<Vec<ContactKey>, EntryRefused> {
    let Some(known) = known else {
        return Ok(published);
    };
    let newest = |keys: &[ContactKey]| keys.first().map_or(0, |key| key.revision);
    if newest(&published) < newest(&known.keys) {
        return Err(EntryRefused::Contradiction);
    }
    let mut merged = published;
    for old in &known.keys {
        match merged.iter_mut().find(|key| key.revision == old.revision) {
            Some(key) if key.digest != old.digest => return Err(EntryRefused::Contradiction),
            Some(key) => {
                key.fingerprint.clone_from(&old.fingerprint);
                if rank(key.state) < rank(old.state) {
                    key.state = old.state;
                    key.changed_ms = old.changed_ms;
                }
            }
            None => merged.push(old.clone()),
        }
    }
    merged.sort_by_key(|key| std::cmp::Reverse(key.revision));
    // The chain between the newest known key and the oldest published one must not have a hole.
    let whole = merged
        .windows(2)
        .all(|pair| pair[0].revision == pair[1].revision + 1);
    if whole {
        Ok(merged)
    } else {
        Err(EntryRefused::BrokenChain)
    }
}

#[cfg(test)]
mod tests;
