//! The database as a whole: encrypted at rest, opened by its own key alone, nothing half done.

#[expect(dead_code, reason = "no test needs all of it")]
mod support;

use connect_store::error::StoreError;
use connect_store::{messages, quarantine};
use support::{fresh, id, key, receive, with};

use connect_store::database::Store;

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
    };
    let mut tx = store.begin().await.unwrap();
    assert!(quarantine::add(&mut tx, &refused).await.unwrap());
    assert!(!quarantine::add(&mut tx, &refused).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(quarantine::count(&store).await.unwrap(), 1);
    store.close().await;
}
