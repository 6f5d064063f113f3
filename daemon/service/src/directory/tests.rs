//! What a directory may say, and what it may not take back.

use connect_core::secret::BoxSecretKey;
use connect_proto::ids::InstallationId;
use connect_proto::sign::SignSecretKey;

use super::*;

struct Published {
    signed: wire::SignedKeyBundle,
    state: wire::KeyState,
}

fn publish(seed: u8, revision: u64, previous: Option<&Published>) -> Published {
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
        signed: bundle::sign(&bundle, &sign, None),
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
    follow(&entry(newest_first), None, 5).unwrap().contact
}

#[test]
fn the_first_key_seen_is_remembered() {
    let first = publish(1, 1, None);
    let followed = follow(&entry(&[&first]), None, 5).unwrap();
    assert_eq!(followed.contact.trust, Trust::Seen);
    assert!(!followed.key_changed);
    let again = follow(&entry(&[&first]), Some(&followed.contact), 9).unwrap();
    assert!(!again.changed);
}

#[test]
fn a_successor_changes_the_key_and_holds_a_verified_contact() {
    let mut first = publish(1, 1, None);
    let mut contact = known(&[&first]);
    let second = publish(2, 2, Some(&first));
    first.state = wire::KeyState::KeyReplaced;
    let followed = follow(&entry(&[&second, &first]), Some(&contact), 5).unwrap();
    assert!(followed.key_changed);
    assert_eq!(followed.contact.trust, Trust::Seen);
    contact.trust = Trust::Verified;
    let followed = follow(&entry(&[&second, &first]), Some(&contact), 5).unwrap();
    assert_eq!(followed.contact.trust, Trust::Changed);
}

#[test]
fn a_directory_that_goes_back_or_forks_is_refused() {
    let mut first = publish(1, 1, None);
    let second = publish(2, 2, Some(&first));
    first.state = wire::KeyState::KeyReplaced;
    let contact = known(&[&second, &first]);
    let back = follow(&entry(&[&first]), Some(&contact), 5);
    assert_eq!(back, Err(EntryRefused::Contradiction));
    let other = publish(3, 2, Some(&first));
    let fork = follow(&entry(&[&other, &first]), Some(&contact), 5);
    assert_eq!(fork, Err(EntryRefused::Contradiction));
    let stranger = publish(4, 1, None);
    let replaced = follow(&entry(&[&stranger]), Some(&known(&[&first])), 5);
    assert_eq!(replaced, Err(EntryRefused::Contradiction));
}

#[test]
fn a_revoked_key_never_becomes_active_again() {
    let mut first = publish(1, 1, None);
    first.state = wire::KeyState::KeyCompromised;
    let contact = known(&[&first]);
    assert_eq!(contact.trust, Trust::Revoked);
    first.state = wire::KeyState::KeyActive;
    let followed = follow(&entry(&[&first]), Some(&contact), 5).unwrap();
    assert_eq!(followed.contact.keys[0].state, KeyState::Compromised);
    assert_eq!(followed.contact.trust, Trust::Revoked);
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
