//! A contact's keys are kept with the digits that two people compare.

use connect_core::fingerprint::Fingerprint;
use connect_core::secret::DatabaseKey;
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use connect_store::codes::{Contradiction, KeyDecision, KeyState, Trust};
use connect_store::contacts::{self, Contact, ContactKey, Decision, Stated, Which};
use connect_store::database::Store;

fn key(revision: u64) -> ContactKey {
    let seed = u8::try_from(revision).unwrap();
    ContactKey {
        revision,
        box_key: BoxPublicKey::from_trusted([seed; 32]),
        sign_key: SignPublicKey::from_trusted([seed; 32]),
        digest: [seed; 32],
        state: KeyState::Active,
        changed_ms: 1,
        countersigned: revision == 2,
        decision: (revision == 1).then_some(Decision {
            what: KeyDecision::Compared,
            at_ms: 7,
        }),
        fingerprint: None,
    }
}

#[tokio::test]
async fn every_key_is_stored_with_its_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let database_key = DatabaseKey::from_bytes(&[1; 32]);
    let store = Store::create(&dir.path().join("db"), database_key)
        .await
        .unwrap();
    let mut bob = Contact {
        user_id: "bob".parse().unwrap(),
        display_name: "Bob".to_owned(),
        profession: String::new(),
        organisation: String::new(),
        attested: false,
        trust: Trust::Seen,
        update_revision: 0,
        added_ms: 1,
        removed: false,
        blocked: false,
        contradiction: Some((Contradiction::Forked, 3)),
        stated: Some(Stated {
            digest: [9; 32],
            state: KeyState::Compromised,
            at_ms: 4,
        }),
        keys: vec![key(1)],
    };
    for revision in 1..=2 {
        let mut tx = store.begin().await.unwrap();
        contacts::put(&mut tx, None, &bob).await.unwrap();
        tx.commit().await.unwrap();
        bob = contacts::find(&store, &bob.user_id).await.unwrap().unwrap();
        let listed = contacts::list(&store, Which::All, None, 10).await.unwrap();
        assert!(listed == [bob.clone()]);
        let twice = [bob.user_id.clone(), bob.user_id.clone()];
        let found = contacts::find_many(&store, &twice).await.unwrap();
        assert!(found.into_values().eq([bob.clone()]));
        let newest = &bob.keys[0];
        assert_eq!(newest.revision, revision);
        let digits = Fingerprint::of(&newest.box_key, &newest.sign_key, &bob.user_id);
        assert_eq!(newest.fingerprint, Some(digits.to_string()));
        bob.keys[0].state = KeyState::Replaced;
        bob.keys.insert(0, key(revision + 1));
    }
    store.close().await;
}
