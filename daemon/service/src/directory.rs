//! What the relay's directory says of a user, held against itself and against what was known before (§5.3, D10).

use connect_proto::bundle::{self, Bundle};
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::{routes, wire};
use connect_store::codes::{Contradiction, KeyDecision, KeyState, Trust};
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
    #[error("the directory has older keys than those that it said before, or that it signed for")]
    RolledBack,
    #[error("the directory has another key than the one that it said before")]
    Forked,
}

impl From<EntryRefused> for Contradiction {
    fn from(refused: EntryRefused) -> Self {
        match refused {
            EntryRefused::Malformed => Self::Malformed,
            EntryRefused::BadBundle => Self::BadBundle,
            EntryRefused::BrokenChain => Self::BrokenChain,
            EntryRefused::RolledBack => Self::RolledBack,
            EntryRefused::Forked => Self::Forked,
        }
    }
}

/// Checks an entry and merges it into what is known. Keys are only added, and their states only get worse.
pub fn follow(
    entry: &wire::DirectoryEntry,
    known: Option<&Contact>,
    now_ms: u64,
) -> Result<Contact, EntryRefused> {
    let user_id: UserId = entry.user_id.parse().map_err(|_| EntryRefused::Malformed)?;
    let published = read_keys(entry, &user_id, known, now_ms)?;
    let (keys, is_better) = merge_keys(published, known, now_ms)?;
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
    // What was revoked is said to be in use again: the keys are believed, and it is noticed.
    let contradiction = is_better.then(|| {
        let before = known.and_then(|known| known.contradiction);
        before.unwrap_or((Contradiction::RolledBack, now_ms))
    });
    Ok(Contact {
        user_id,
        display_name: profile.display_name,
        profession: profile.profession,
        organisation: profile.organisation,
        attested: entry.attested,
        trust: trust_of(&keys),
        update_revision: known.map_or(0, |known| known.update_revision),
        added_ms: known.map_or(now_ms, |known| known.added_ms),
        removed: known.is_some_and(|known| known.removed),
        blocked: known.is_some_and(|known| known.blocked),
        contradiction,
        stated: None,
        keys,
    })
}

/// D25: a changed key of a verified contact waits for a decision; of a merely seen one it warns. What came in between
/// without a decision takes nothing away, and neither does a key that is gone by now.
pub fn trust_of(newest_first: &[ContactKey]) -> Trust {
    let is_active = |key: &ContactKey| key.state == KeyState::Active;
    let Some(place) = newest_first.iter().position(is_active) else {
        return Trust::Revoked;
    };
    let before = || {
        newest_first[place + 1..]
            .iter()
            .find_map(ContactKey::decided)
    };
    match newest_first[place].decided() {
        Some(KeyDecision::Compared | KeyDecision::Organisation) => Trust::Verified,
        Some(KeyDecision::Accepted) => Trust::Seen,
        Some(KeyDecision::Rejected) => Trust::Changed,
        None => match before() {
            None | Some(KeyDecision::Accepted) => Trust::Seen,
            Some(_) => Trust::Changed,
        },
    }
}

/// A key as the directory has it, and where it says that it stands.
struct Published<'e> {
    key: ContactKey,
    signed: &'e wire::SignedKeyBundle,
    follows: Option<Digest>,
}

fn read_keys(
    entry: &wire::DirectoryEntry,
    user_id: &UserId,
    known: Option<&Contact>,
    now_ms: u64,
) -> Result<Vec<ContactKey>, EntryRefused> {
    let mut published: Vec<Published<'_>> = Vec::with_capacity(entry.keys.len());
    for of_entry in &entry.keys {
        let signed = of_entry.bundle.as_ref().ok_or(EntryRefused::Malformed)?;
        let before = known.and_then(|known| known_as(known, &bundle::digest(signed)));
        let bundle = match before {
            Some(key) => bundle::reopen(signed, key.box_key, key.sign_key),
            None => bundle::open(signed),
        };
        let bundle = bundle.map_err(|_| EntryRefused::BadBundle)?;
        if bundle.user_id != *user_id || !(1..=MAX_INTEGER).contains(&bundle.revision) {
            return Err(EntryRefused::BadBundle);
        }
        let state = key_state(of_entry.state());
        if state == KeyState::Active && !published.is_empty() {
            return Err(EntryRefused::BrokenChain);
        }
        let mut key = read_key(&bundle, signed, state, of_entry.changed_ms.min(now_ms));
        key.countersigned = before.is_some_and(|key| key.countersigned);
        published.push(Published {
            key,
            signed,
            follows: bundle.previous_digest,
        });
    }
    if published.is_empty() {
        return Err(EntryRefused::Malformed);
    }
    check_chain(&mut published, known)?;
    Ok(published.into_iter().map(|one| one.key).collect())
}

fn known_as<'c>(known: &'c Contact, digest: &Digest) -> Option<&'c ContactKey> {
    known.keys.iter().find(|key| key.digest == *digest)
}

/// A relay's clock that is ahead, or its lie, must not let an old key speak for longer.
fn read_key(
    bundle: &Bundle,
    signed: &wire::SignedKeyBundle,
    state: KeyState,
    changed_ms: u64,
) -> ContactKey {
    ContactKey {
        revision: bundle.revision,
        box_key: bundle.box_key,
        sign_key: bundle.sign_key,
        digest: bundle::digest(signed),
        state,
        changed_ms,
        countersigned: false,
        decision: None,
        fingerprint: None,
    }
}

/// Newest first, each following the one that it names, and signed by it where it says so (D10). The oldest follows what
/// was known before.
fn check_chain(
    published: &mut [Published<'_>],
    known: Option<&Contact>,
) -> Result<(), EntryRefused> {
    let in_order = published
        .windows(2)
        .all(|pair| pair[0].key.revision == pair[1].key.revision + 1);
    if !in_order {
        return Err(EntryRefused::BrokenChain);
    }
    for place in 0..published.len() {
        let (newer, older) = published.split_at_mut(place + 1);
        let newer = &mut newer[place];
        let named = |key: &ContactKey| newer.follows == Some(key.digest);
        let older = match older.first() {
            Some(older) if named(&older.key) => Some(&older.key),
            Some(_) => return Err(EntryRefused::BrokenChain),
            None => match known_before(known, newer.key.revision) {
                Some(older) if !named(older) => return Err(EntryRefused::Forked),
                older => older,
            },
        };
        if let Some(older) = older
            && !newer.key.countersigned
            && !newer.signed.previous_signature.is_empty()
        {
            bundle::check_previous_signature(newer.signed, &older.sign_key)
                .map_err(|_| EntryRefused::BadBundle)?;
            newer.key.countersigned = true;
        }
    }
    Ok(())
}

fn known_before(known: Option<&Contact>, revision: u64) -> Option<&ContactKey> {
    let mut keys = known?.keys.iter();
    keys.find(|key| key.revision + 1 == revision)
}

pub(crate) fn key_state(state: wire::KeyState) -> KeyState {
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

/// A key's state gets worse, or stays what it is.
pub(crate) fn worsen(key: &mut ContactKey, state: KeyState, at_ms: u64) {
    if rank(state) > rank(key.state) {
        key.state = state;
        key.changed_ms = at_ms;
    }
}

/// Also tells whether the directory has a key in a better state than it is known to be in.
fn merge_keys(
    published: Vec<ContactKey>,
    known: Option<&Contact>,
    now_ms: u64,
) -> Result<(Vec<ContactKey>, bool), EntryRefused> {
    let Some(known) = known else {
        return Ok((published, false));
    };
    let newest = |keys: &[ContactKey]| keys.first().map_or(0, |key| key.revision);
    let went_back = newest(&published) < newest(&known.keys);
    // How far back the directory reaches, where it shows as much as it ever does: what is older may be known here, and what
    // lies between the two is shown to nobody.
    let reach = (published.len() >= routes::MAX_PUBLISHED_KEYS)
        .then(|| published.last().map(|key| key.revision))
        .flatten();
    let mut is_better = false;
    let mut merged = published;
    for old in &known.keys {
        match merged.iter_mut().find(|key| key.revision == old.revision) {
            Some(key) if key.digest != old.digest => return Err(EntryRefused::Forked),
            Some(key) => {
                is_better |= rank(key.state) < rank(old.state);
                let said = key.state;
                key.state = old.state;
                key.changed_ms = old.changed_ms;
                worsen(key, said, now_ms);
                key.countersigned |= old.countersigned;
                key.decision = old.decision;
                key.fingerprint.clone_from(&old.fingerprint);
            }
            None => merged.push(old.clone()),
        }
    }
    if went_back {
        return Err(EntryRefused::RolledBack);
    }
    merged.sort_by_key(|key| std::cmp::Reverse(key.revision));
    if !is_whole(&merged, &known.keys, reach) {
        return Err(EntryRefused::BrokenChain);
    }
    if let Some(stated) = known.stated {
        // What the relay has signed for, it also has to show, as far back as it reaches.
        match merged.iter_mut().find(|key| key.digest == stated.digest) {
            Some(key) => worsen(key, stated.state, stated.at_ms),
            None if reach.is_some() => {}
            None => return Err(EntryRefused::RolledBack),
        }
    }
    // Whatever is newer has taken the place of what was in use.
    for key in merged.iter_mut().skip(1) {
        worsen(key, KeyState::Replaced, now_ms);
    }
    Ok((merged, is_better))
}

/// The chain must not have a hole but where the directory does not reach further back, or did not when it was followed. Across
/// one nothing is proven: the key above it counts as signed by no other.
fn is_whole(newest_first: &[ContactKey], known: &[ContactKey], reach: Option<u64>) -> bool {
    newest_first.windows(2).all(|pair| {
        let (newer, older) = (pair[0].revision, pair[1].revision);
        let was_known = || {
            known
                .windows(2)
                .any(|pair| (pair[0].revision, pair[1].revision) == (newer, older))
        };
        newer == older + 1 || reach == Some(newer) || was_known()
    })
}

#[cfg(test)]
mod tests;
