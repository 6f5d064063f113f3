//! The database as a whole: encrypted at rest, opened by its own key alone, nothing half done.

use crate::support::{fresh, id, key, receive, with};
use connect_proto::ids::CaseId;
use connect_store::database::{Store, Tx};
use connect_store::error::StoreError;
use connect_store::quarantine::Most;
use connect_store::{messages, quarantine};

const TEXT: &str = "potassium-canary-3.1";

#[tokio::test]
async fn the_file_is_encrypted_and_opens_under_its_own_key_alone() {
    let (dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    receive(&mut tx, bob, 1, TEXT).await;
    tx.commit().await.unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.starts_with(b"SQLite format 3"));
        let found = bytes.windows(TEXT.len()).any(|w| w == TEXT.as_bytes());
        assert!(!found, "plaintext on disk");
    }
    store.close().await;
    let path = dir.path().join("db");
    let wrong = Store::open(&path, key(2)).await.unwrap_err();
    assert_eq!(wrong, StoreError::CannotOpen);
    let store = Store::open(&path, key(1)).await.unwrap();
    let found = messages::find(&store, id(1)).await;
    assert_eq!(found.unwrap().unwrap().text, TEXT);
    store.close().await;
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    receive(&mut tx, bob, 1, "gone").await;
    drop(tx);
    let found = messages::find(&store, id(1)).await;
    assert_eq!(found.unwrap(), None);
    store.close().await;
}

#[tokio::test]
async fn a_closed_database_says_so() {
    let (_dir, store) = fresh().await;
    store.close().await;
    assert_eq!(store.begin().await.unwrap_err(), StoreError::Closed);
    let found = messages::find(&store, id(1)).await;
    assert_eq!(found.unwrap_err(), StoreError::Closed);
}

#[tokio::test]
async fn the_same_refused_envelope_is_kept_once() {
    let (_dir, store) = fresh().await;
    let refused = quarantine::Refused {
        reason: "cannot_open",
        sender: "bob",
        message_id: &[1; 16],
        envelope: b"bytes",
        stored_ms: 1,
        case_id: None,
    };
    let mut tx = store.begin().await.unwrap();
    assert!(quarantine::add(&mut tx, &refused).await.unwrap());
    assert!(!quarantine::add(&mut tx, &refused).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(quarantine::count(&store).await.unwrap(), 1);
    store.close().await;
}

/// Whoever has much waiting keeps nobody else's from being looked at, and neither does another case.
#[tokio::test]
async fn what_waits_in_a_case_is_listed_by_turns() {
    let (_dir, store) = fresh().await;
    let of = |n| CaseId::from_bytes([n; 16]);
    let mut tx = store.begin().await.unwrap();
    let waiting = [
        ("mallory", 1, 10),
        ("mallory", 1, 11),
        ("mallory", 1, 12),
        ("nina", 1, 20),
        ("mallory", 2, 5),
        ("nina", 1, 21),
    ];
    for (sender, case, stored_ms) in waiting {
        let refused = quarantine::Refused {
            reason: "unknown_epoch",
            sender,
            message_id: &[1; 16],
            envelope: &[case, u8::try_from(stored_ms).unwrap()],
            stored_ms,
            case_id: Some(of(case)),
        };
        assert!(quarantine::add(&mut tx, &refused).await.unwrap());
    }
    let most = Most {
        of_a_sender: 2,
        in_all: 3,
    };
    let list = async |tx: &mut Tx, reasons: &[&str]| -> Vec<u64> {
        let found = quarantine::list_waiting(tx, of(1), reasons, most).await;
        found.unwrap().iter().map(|(.., at_ms)| *at_ms).collect()
    };
    let reasons = ["unknown_case", "unknown_epoch"];
    assert_eq!(list(&mut tx, &reasons).await, [10, 20, 11]);
    assert!(list(&mut tx, &["cannot_open"]).await.is_empty());
    let found = quarantine::list_waiting(&mut tx, of(1), &reasons, most).await;
    let digest = found.unwrap()[0].0;
    quarantine::set_reason(&mut tx, &digest, "bad_signature")
        .await
        .unwrap();
    assert_eq!(list(&mut tx, &reasons).await, [11, 20, 12]);
    drop(tx);
    store.close().await;
}
