//! What a directory may say, and what it may not take back.

use connect_core::secret::BoxSecretKey;
use connect_proto::ids::InstallationId;
use connect_proto::sign::SignSecretKey;
use connect_store::contacts::{Decision, Stated};

use super::*;

struct Published {
    signed: wire::SignedKeyBundle,
    state: wire::KeyState,
}

fn publish(seed: u8, revision: u64, previous: Option<&Published>) -> Published {
    publish_with(seed, revision, previous, None)
}

/// With a signature by another key as well.
fn publish_with(
    seed: u8,
    revision: u64,
    previous: Option<&Published>,
    countersigns: Option<u8>,
) -> Published {
    let sign = SignSecretKey::from_seed(&[seed; 32]);
    let bundle = Bundle {
        user_id: "bob".parse().unwrap(),
        installation_id: InstallationId::from_bytes([seed; 8]),
        box_key: BoxSecretKey::from_bytes(&[seed; 32]).public_key(),
        sign_key: sign.public_key(),
        created_ms: 1,
        revision,
        previous_digest: previous.map(|previous| bundle::digest(&previous.signed)),
    };
    Published {
        signed: bundle::sign(
            &bundle,
            &sign,
            countersigns
                .map(|seed| SignSecretKey::from_seed(&[seed; 32]))
                .as_ref(),
        ),
        state: wire::KeyState::KeyActive,
    }
}

fn entry(newest_first: &[&Published]) -> wire::DirectoryEntry {
    wire::DirectoryEntry {
        user_id: "bob".to_owned(),
        profile: Some(wire::Profile::default()),
        keys: newest_first
            .iter()
            .map(|published| wire::PublishedKey {
                bundle: Some(published.signed.clone()),
                state: published.state.into(),
                changed_ms: 1,
            })
            .collect(),
        ..wire::DirectoryEntry::default()
    }
}

fn known(newest_first: &[&Published]) -> Contact {
    follow(&entry(newest_first), None, 5).unwrap()
}

fn decided(mut contact: Contact, what: KeyDecision) -> Contact {
    contact.keys[0].decision = Some(Decision { what, at_ms: 7 });
    contact.trust = trust_of(&contact.keys);
    contact
}

#[test]
fn the_first_key_seen_is_remembered() {
    let first = publish(1, 1, None);
    let followed = follow(&entry(&[&first]), None, 5).unwrap();
    assert_eq!(followed.trust, Trust::Seen);
    let again = follow(&entry(&[&first]), Some(&followed), 9).unwrap();
    assert!(again == followed);
}

#[test]
fn a_successor_changes_the_key_and_holds_a_verified_contact() {
    let mut first = publish(1, 1, None);
    let contact = known(&[&first]);
    let second = publish(2, 2, Some(&first));
    first.state = wire::KeyState::KeyReplaced;
    let entry = entry(&[&second, &first]);
    for (decision, trust) in [
        (KeyDecision::Accepted, Trust::Seen),
        (KeyDecision::Compared, Trust::Changed),
        (KeyDecision::Organisation, Trust::Changed),
        (KeyDecision::Rejected, Trust::Changed),
    ] {
        let contact = decided(contact.clone(), decision);
        let followed = follow(&entry, Some(&contact), 5).unwrap();
        assert_eq!(followed.trust, trust, "{decision:?}");
    }
    assert_eq!(
        follow(&entry, Some(&contact), 5).unwrap().trust,
        Trust::Seen
    );
}

/// An operator revokes the key of a verified contact, and then somebody enrolls in its name.
#[test]
fn no_way_leads_a_verified_contact_to_another_key_without_a_decision() {
    let mut first = publish(1, 1, None);
    let contact = decided(known(&[&first]), KeyDecision::Compared);
    first.state = wire::KeyState::KeyRevoked;
    let revoked = follow(&entry(&[&first]), Some(&contact), 5).unwrap();
    assert_eq!(revoked.trust, Trust::Revoked);
    let mut second = publish(2, 2, Some(&first));
    let followed = follow(&entry(&[&second, &first]), Some(&revoked), 5).unwrap();
    assert_eq!(followed.trust, Trust::Changed);
    // A third one does not make the second one known.
    second.state = wire::KeyState::KeyReplaced;
    let third = publish(3, 3, Some(&second));
    let followed = follow(&entry(&[&third, &second, &first]), Some(&followed), 5).unwrap();
    assert_eq!(followed.trust, Trust::Changed);
    let compared = decided(followed, KeyDecision::Compared);
    assert_eq!(compared.trust, Trust::Verified);
}

#[test]
fn a_signature_by_the_key_before_is_checked_and_remembered() {
    let mut first = publish(1, 1, None);
    let contact = known(&[&first]);
    first.state = wire::KeyState::KeyReplaced;
    let signed = publish_with(2, 2, Some(&first), Some(1));
    let with_both = entry(&[&signed, &first]);
    // Also where the directory has the old key no more.
    for entry in [with_both.clone(), entry(&[&signed])] {
        let followed = follow(&entry, Some(&contact), 5).unwrap();
        assert!(followed.keys[0].countersigned && !followed.keys[1].countersigned);
    }
    let mut stripped = publish_with(2, 2, Some(&first), Some(1));
    stripped.signed.previous_signature.clear();
    let without = follow(&entry(&[&stripped, &first]), Some(&contact), 5).unwrap();
    assert!(!without.keys[0].countersigned);
    let followed = follow(&with_both, Some(&contact), 5).unwrap();
    let again = follow(&entry(&[&stripped, &first]), Some(&followed), 5).unwrap();
    assert!(again.keys[0].countersigned);
    // By another key than the one before.
    let bad = publish_with(2, 2, Some(&first), Some(9));
    for entry in [entry(&[&bad, &first]), entry(&[&bad])] {
        assert_eq!(
            follow(&entry, Some(&contact), 5),
            Err(EntryRefused::BadBundle)
        );
    }
}

#[test]
fn what_was_revoked_and_is_in_use_again_is_noticed() {
    let mut first = publish(1, 1, None);
    let active = entry(&[&first]);
    first.state = wire::KeyState::KeyRevoked;
    let revoked = entry(&[&first]);
    let contact = known(&[&first]);
    let followed = follow(&active, Some(&contact), 8).unwrap();
    assert_eq!(followed.keys[0].state, KeyState::Revoked);
    let noticed = Some((Contradiction::RolledBack, 8));
    assert_eq!(followed.contradiction, noticed);
    let again = follow(&active, Some(&followed), 9).unwrap();
    assert_eq!(again.contradiction, noticed);
    let well = follow(&revoked, Some(&again), 9).unwrap();
    assert_eq!(well.contradiction, None);
}

#[test]
fn what_the_relay_has_signed_for_it_has_to_show() {
    let mut first = publish(1, 1, None);
    let mut contact = known(&[&first]);
    let second = publish(2, 2, Some(&first));
    contact.stated = Some(Stated {
        digest: bundle::digest(&second.signed),
        state: KeyState::Compromised,
        at_ms: 4,
    });
    let behind = follow(&entry(&[&first]), Some(&contact), 5);
    assert_eq!(behind, Err(EntryRefused::RolledBack));
    first.state = wire::KeyState::KeyReplaced;
    let followed = follow(&entry(&[&second, &first]), Some(&contact), 5).unwrap();
    assert_eq!(followed.keys[0].state, KeyState::Compromised);
    assert_eq!((followed.trust, followed.stated), (Trust::Revoked, None));
}

#[test]
fn a_relay_s_clock_lets_no_old_key_speak_for_longer() {
    let mut first = publish(1, 1, None);
    let second = publish(2, 2, Some(&first));
    first.state = wire::KeyState::KeyReplaced;
    let mut ahead = entry(&[&second, &first]);
    ahead.keys[1].changed_ms = u64::MAX;
    let followed = follow(&ahead, None, 5).unwrap();
    assert_eq!(followed.keys[1].changed_ms, 5);
    let later = follow(&ahead, Some(&followed), 500).unwrap();
    assert_eq!(later.keys[1].changed_ms, 5);
}

#[test]
fn a_directory_that_goes_back_or_forks_is_refused() {
    let mut first = publish(1, 1, None);
    let second = publish(2, 2, Some(&first));
    first.state = wire::KeyState::KeyReplaced;
    let contact = known(&[&second, &first]);
    let back = follow(&entry(&[&first]), Some(&contact), 5);
    assert_eq!(back, Err(EntryRefused::RolledBack));
    let other = publish(3, 2, Some(&first));
    let fork = follow(&entry(&[&other, &first]), Some(&contact), 5);
    assert_eq!(fork, Err(EntryRefused::Forked));
    let stranger = publish(4, 1, None);
    let replaced = follow(&entry(&[&stranger]), Some(&known(&[&first])), 5);
    assert_eq!(replaced, Err(EntryRefused::Forked));
    // It follows another one than the one that was seen.
    let elsewhere = publish(5, 2, Some(&stranger));
    let fork = follow(
        &entry(&[&elsewhere]),
        Some(&known(&[&publish(1, 1, None)])),
        5,
    );
    assert_eq!(fork, Err(EntryRefused::Forked));
}

#[test]
fn a_revoked_key_never_becomes_active_again() {
    let mut first = publish(1, 1, None);
    first.state = wire::KeyState::KeyCompromised;
    let contact = known(&[&first]);
    assert_eq!(contact.trust, Trust::Revoked);
    first.state = wire::KeyState::KeyActive;
    let followed = follow(&entry(&[&first]), Some(&contact), 5).unwrap();
    assert_eq!(followed.keys[0].state, KeyState::Compromised);
    assert_eq!(followed.trust, Trust::Revoked);
}

#[test]
fn bundles_that_do_not_follow_each_other_are_refused() {
    let mut first = publish(1, 1, None);
    first.state = wire::KeyState::KeyReplaced;
    let unrelated = publish(9, 1, None);
    let third = publish(3, 2, Some(&unrelated));
    let broken = follow(&entry(&[&third, &first]), None, 5);
    assert_eq!(broken, Err(EntryRefused::BrokenChain));
    let mut changed = publish(2, 2, Some(&first));
    changed.signed.signature[3] ^= 1;
    let bad = follow(&entry(&[&changed, &first]), None, 5);
    assert_eq!(bad, Err(EntryRefused::BadBundle));
    assert_eq!(follow(&entry(&[]), None, 5), Err(EntryRefused::Malformed));
}

/// Whoever was away for longer than the directory reaches back follows all the same, and nothing is taken for proven.
#[test]
fn after_more_rotations_than_the_directory_shows_there_is_another_key_without_a_proof() {
    let mut first = publish(1, 1, None);
    let seen = known(&[&first]);
    first.state = wire::KeyState::KeyReplaced;
    let mut all = vec![first];
    for revision in 2..=18 {
        let number = u8::try_from(revision).unwrap();
        let previous = all.last_mut().unwrap();
        previous.state = wire::KeyState::KeyReplaced;
        let next = publish_with(number, revision, Some(previous), Some(number - 1));
        all.push(next);
    }
    let newest_first: Vec<_> = all.iter().rev().collect();
    let shown = entry(&newest_first[..routes::MAX_PUBLISHED_KEYS]);
    let followed = follow(&shown, Some(&seen), 5).unwrap();
    assert_eq!(followed.trust, Trust::Seen);
    assert_eq!(followed.active_key().unwrap().revision, 18);
    assert_eq!(followed.keys.last().unwrap().state, KeyState::Replaced);
    let revisions: Vec<_> = followed.keys.iter().map(|key| key.revision).collect();
    assert_eq!(revisions, (3..=18).rev().chain([1]).collect::<Vec<_>>());
    assert!(
        !followed.keys[15].countersigned,
        "by a key that is not known"
    );
    let verified = decided(seen, KeyDecision::Compared);
    let followed = follow(&shown, Some(&verified), 5).unwrap();
    assert_eq!(followed.trust, Trust::Changed);
    // It stays so with the next look, and one that shows less than it could is refused.
    assert_eq!(follow(&shown, Some(&followed), 5).as_ref(), Ok(&followed));
    let fewer = entry(&newest_first[..routes::MAX_PUBLISHED_KEYS - 1]);
    assert_eq!(
        follow(&fewer, Some(&verified), 5),
        Err(EntryRefused::BrokenChain)
    );
}
