//! A snapshot is the database as of one committed moment, whoever writes meanwhile, and sealed as it is.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use crate::support::{fresh, key};
use connect_store::condition::Integrity;
use connect_store::contents::{self, Contents};
use connect_store::database::Store;
use connect_store::quarantine::{self, Refused};
use connect_store::{events, integrity, restored, snapshot};

const MARK: &[u8] = b"canary-of-the-snapshot";

/// One row with an event, in one transaction.
async fn put(store: &Store, number: u64) {
    let mut tx = store.begin().await.unwrap();
    let mut envelope = MARK.repeat(100);
    envelope.extend(number.to_be_bytes());
    let refused = Refused {
        reason: "malformed_envelope",
        sender: "",
        message_id: &[1; 16],
        envelope: &envelope,
        stored_ms: number,
        case_id: None,
    };
    assert!(quarantine::add(&mut tx, &refused).await.unwrap());
    let event = events::NewEvent::of(connect_store::codes::EventKind::SessionLocked, number);
    events::append(&mut tx, &event).await.unwrap();
    tx.commit().await.unwrap();
}

async fn contents(store: &Store) -> Contents {
    contents::count(store).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_one_committed_moment_while_others_write() {
    let (place, store) = fresh().await;
    let store = Arc::new(store);
    for number in 0..200 {
        put(&store, number).await;
    }
    let writing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for number in 200..400 {
                put(&store, number).await;
            }
        })
    };
    let before = contents(&store).await;
    let to = place.path().join("copy");
    snapshot::take(&store, &to).await.unwrap();
    let after = contents(&store).await;
    writing.await.unwrap();

    let copy = Store::open(&to, key(1)).await.unwrap();
    let found = contents(&copy).await;
    assert!((before.events..=after.events).contains(&found.events));
    assert_eq!(found.events, found.last_event_id);
    assert_eq!(found.quarantined, found.events, "no transaction is torn");
    assert_eq!(integrity::check(&copy).await, Ok(Integrity::Ok));
    copy.close().await;
    store.close().await;
}

#[tokio::test]
async fn it_opens_under_its_key_alone_and_shows_nothing() {
    let (place, store) = fresh().await;
    put(&store, 1).await;
    let to = place.path().join("copy");
    snapshot::take(&store, &to).await.unwrap();
    assert!(
        snapshot::take(&store, &to).await.is_err(),
        "nothing is overwritten"
    );
    store.close().await;
    let bytes = std::fs::read(&to).unwrap();
    for plain in [MARK, b"SQLite format 3", b"quarantine"] {
        let found = bytes.windows(plain.len()).any(|window| window == plain);
        assert!(!found, "{}", String::from_utf8_lossy(plain));
    }
    assert!(Store::open(&to, key(2)).await.is_err());
    let mode = std::fs::metadata(&to).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn who_takes_it_over_gives_no_event_id_twice() {
    let (_place, store) = fresh().await;
    put(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    restored::take_over(&mut tx, 5).await.unwrap();
    tx.commit().await.unwrap();
    put(&store, 2).await;
    let last = contents(&store).await.last_event_id;
    assert_eq!(last, restored::EVENTS_LEAP + 2);
    store.close().await;
}
