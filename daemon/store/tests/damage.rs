//! Pages that are not what was written: found by a look at the whole, and no harm to what lies elsewhere.

use std::path::{Path, PathBuf};

use connect_core::secret::DatabaseKey;
use connect_store::condition::{Integrity, State, Trouble};
use connect_store::database::Store;
use connect_store::error::StoreError;
use connect_store::integrity::check;
use connect_store::outbox;
use connect_store::quarantine::{self, Refused};

const PAGE: usize = 4096;

fn key() -> DatabaseKey {
    DatabaseKey::from_bytes(&[1; 32])
}

async fn put(store: &Store, number: u8) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    let refused = Refused {
        case_id: None,
        reason: "malformed_envelope",
        sender: "",
        message_id: &[number; 16],
        envelope: &vec![number; 15_000],
        stored_ms: 1,
    };
    let is_new = quarantine::add(&mut tx, &refused).await?;
    tx.commit().await?;
    Ok(is_new)
}

/// A database of forty rows of several pages each, closed; and where the tables end and the rows begin.
async fn closed() -> (tempfile::TempDir, PathBuf, usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let store = Store::create(&path, key()).await.unwrap();
    store.close().await;
    let tables = pages_of(&path);
    let store = Store::open(&path, key()).await.unwrap();
    for number in 0..40 {
        put(&store, number).await.unwrap();
    }
    store.close().await;
    (dir, path, tables)
}

fn pages_of(path: &Path) -> usize {
    std::fs::read(path).unwrap().len() / PAGE
}

fn flip(path: &Path, pages: std::ops::Range<usize>) {
    let mut bytes = std::fs::read(path).unwrap();
    for page in pages {
        bytes[page * PAGE + 1000] ^= 1;
    }
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_whole_database_is_found_whole_while_it_is_written() {
    let (_dir, path, _) = closed().await;
    let store = Store::open(&path, key()).await.unwrap();
    assert_eq!(store.condition().state(), State::default());
    let writing = async {
        for number in 40..80 {
            put(&store, number).await.unwrap();
        }
    };
    let (found, ()) = tokio::join!(check(&store), writing);
    assert_eq!(found, Ok(Integrity::Ok));
    assert_eq!(store.condition().state().integrity, Integrity::Ok);
    store.close().await;
}

#[tokio::test]
async fn a_damaged_page_is_found_and_the_others_go_on_being_used() {
    let (_dir, path, _) = closed().await;
    // What the last row has beyond its first page: nobody reads it who writes another one.
    let pages = pages_of(&path);
    flip(&path, pages - 3..pages);
    let store = Store::open(&path, key()).await.unwrap();
    for _ in 0..5 {
        assert_eq!(check(&store).await, Ok(Integrity::Damaged));
        assert_eq!(outbox::next_due_ms(&store).await, Ok(None));
    }
    assert_eq!(store.condition().state().integrity, Integrity::Damaged);
    assert_eq!(put(&store, 40).await, Ok(true));
    store.close().await;
}

#[tokio::test]
async fn what_a_connection_met_does_not_outlast_it() {
    let (_dir, path, tables) = closed().await;
    flip(&path, tables..pages_of(&path));
    let store = Store::open(&path, key()).await.unwrap();
    let mut failed = 0;
    for number in 0..40 {
        if let Err(error) = put(&store, number).await {
            store.condition().note(error);
            failed += 1;
            assert_eq!(store.condition().state().trouble, Some(Trouble::Failed));
        }
    }
    assert!(failed > 0, "some of it is damaged");
    store.probe().await.unwrap();
    assert_eq!(store.condition().state().trouble, None);
    store.close().await;
}

#[tokio::test]
async fn a_database_that_was_not_closed_says_so() {
    let (_dir, path, _) = closed().await;
    let store = Store::open(&path, key()).await.unwrap();
    assert!(!store.was_unclean());
    put(&store, 40).await.unwrap();
    let copy = path.with_extension("copy");
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(log(&path), log(&copy)).unwrap();
    store.close().await;
    let copied = Store::open(&copy, key()).await.unwrap();
    assert!(copied.was_unclean());
    assert_eq!(quarantine::count(&copied).await, Ok(41));
    copied.close().await;
    let store = Store::open(&path, key()).await.unwrap();
    assert!(!store.was_unclean());
    store.close().await;
}
