//! What removing old messages promises: all that belongs to them goes, and all that is told of the others stays right.

use connect_core::secret::DatabaseKey;
use connect_proto::ids::{InstallationId, MessageId, UserId};
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::database::{Store, Tx};
use connect_store::messages::{self, From};
use connect_store::new::NewMessage;
use connect_store::outbox::Freight;
use connect_store::outgoing::{self, Outgoing, Recipients, To};
use connect_store::place::Place;
use connect_store::policy::{self, Policy};
use connect_store::search::query::Query;
use connect_store::search::{self, Wanted};
use connect_store::{client_refs, outbox, quarantine, received, recipients, retention};

async fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let key = DatabaseKey::from_bytes(&[1; 32]);
    let store = Store::create(&dir.path().join("db"), key).await.unwrap();
    (dir, store)
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

async fn with(tx: &mut Tx, name: &str) -> ConversationRow {
    let conversation = Conversation::User(user(name));
    conversations::ensure(tx, &conversation).await.unwrap()
}

fn message(conversation: ConversationRow, sender: &UserId, id: u8) -> NewMessage<'_> {
    NewMessage {
        conversation,
        sender,
        message_id: MessageId::from_bytes([id; 16]),
        timestamp_ms: 5,
        stored_ms: u64::from(id),
        installation_id: InstallationId::from_bytes([1; 8]),
        sequence: u64::from(id),
        retired_key: false,
        text: "potassium",
        reply_to: None,
    }
}

/// Stored at the time that its id says.
async fn receive(store: &Store, from: &str, id: u8) {
    let mut tx = store.begin().await.unwrap();
    let conversation = with(&mut tx, from).await;
    let sender = user(from);
    let new = message(conversation, &sender, id);
    received::add_message(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn send(store: &Store, to: &str, id: u8) {
    let mut tx = store.begin().await.unwrap();
    let conversation = with(&mut tx, to).await;
    let (me, recipient) = (user("me"), user(to));
    let new = Outgoing {
        message: message(conversation, &me, id),
        recipients: Recipients::One(To {
            user_id: &recipient,
            hold: None,
        }),
        envelope: Some(b"envelope"),
        app: "app",
        client_ref: Some("ref"),
        digest: &[id; 32],
    };
    outgoing::add(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn remove_before(store: &Store, before_ms: u64, limit: u32) -> u64 {
    let mut tx = store.begin().await.unwrap();
    let gone = retention::remove_messages(&mut tx, before_ms, limit).await;
    tx.commit().await.unwrap();
    gone.unwrap()
}

async fn left(store: &Store, with: &str) -> Vec<u64> {
    let conversation = Conversation::User(user(with));
    let row = conversations::find(store, &conversation)
        .await
        .unwrap()
        .unwrap();
    let page = messages::list(store, row, From::Newest, 100).await.unwrap();
    page.iter().map(|message| message.stored_ms).collect()
}

async fn place(store: &Store, with: &str, id: u8) -> Place {
    let conversation = Conversation::User(user(with));
    let row = conversations::find(store, &conversation).await.unwrap();
    let id = MessageId::from_bytes([id; 16]);
    let found = messages::find_place(store, row.unwrap(), id).await;
    found.unwrap().unwrap()
}

async fn hits(store: &Store) -> usize {
    let query = Query::parse("potassium").unwrap();
    let wanted = Wanted {
        query: &query,
        conversation: None,
        before: None,
        limit: 100,
    };
    search::find(store, &wanted).await.unwrap().hits.len()
}

#[tokio::test]
async fn the_oldest_go_in_batches_and_what_is_told_of_the_rest_stays_right() {
    let (_dir, store) = fresh().await;
    for id in 1..=6 {
        receive(&store, if id % 2 == 0 { "bob" } else { "carol" }, id).await;
    }
    let mut tx = store.begin().await.unwrap();
    search::index(&mut tx, 4).await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let second = place(&store, "bob", 2).await;
    let read = conversations::mark_read(&mut tx, bob, second)
        .await
        .unwrap();
    assert_eq!(read.len(), 1);
    tx.commit().await.unwrap();
    for (before, limit, expected) in [(4, 2, 2), (4, 2, 1), (4, 2, 0), (6, 100, 2)] {
        assert_eq!(remove_before(&store, before, limit).await, expected);
    }
    assert_eq!(left(&store, "bob").await, [6]);
    assert!(left(&store, "carol").await.is_empty());
    assert_eq!(hits(&store).await, 1);
    let listed = conversations::list(&store, None, 10).await.unwrap();
    assert_eq!(listed.len(), 1, "nobody is told of an empty conversation");
    assert_eq!((listed[0].unread, listed[0].last_message), (1, 6));
    store.close().await;
}

#[tokio::test]
async fn what_is_on_its_way_stays_and_holds_nothing_else_up() {
    let (_dir, store) = fresh().await;
    send(&store, "bob", 1).await;
    receive(&store, "bob", 2).await;
    assert_eq!(remove_before(&store, 100, 1).await, 1);
    assert_eq!(left(&store, "bob").await, [1]);
    let queued = outbox::find_due(&store, 100, 1000).await.unwrap().unwrap();
    let Freight::Message(row) = queued.freight else {
        panic!("no message");
    };
    let mut tx = store.begin().await.unwrap();
    outbox::remove(&mut tx, queued.row).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(remove_before(&store, 100, 1).await, 1);
    let mut tx = store.begin().await.unwrap();
    let reference = client_refs::find(&mut tx, "app", "ref").await;
    assert_eq!(reference.unwrap(), None, "it went with its message");
    let states = recipients::list(&mut tx, row).await;
    assert!(states.unwrap().is_empty());
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn what_comes_after_everything_was_removed_is_unread_and_found() {
    let (_dir, store) = fresh().await;
    for id in 1..=3 {
        receive(&store, "bob", id).await;
    }
    let mut tx = store.begin().await.unwrap();
    search::index(&mut tx, 100).await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let third = place(&store, "bob", 3).await;
    conversations::mark_read(&mut tx, bob, third).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(remove_before(&store, 100, 100).await, 3);
    receive(&store, "bob", 4).await;
    receive(&store, "bob", 5).await;
    assert_eq!(hits(&store).await, 2);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(conversations::count_unread(&mut tx, bob).await.unwrap(), 2);
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn what_was_put_aside_goes_by_its_own_age() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    for stored_ms in 1..=3 {
        let envelope = [u8::try_from(stored_ms).unwrap()];
        let refused = quarantine::Refused {
            reason: "malformed_envelope",
            sender: "",
            message_id: b"",
            envelope: &envelope,
            stored_ms,
            case_id: None,
        };
        quarantine::add(&mut tx, &refused).await.unwrap();
    }
    for expected in [1, 1, 0] {
        let gone = retention::remove_quarantined(&mut tx, 3, 1).await;
        assert_eq!(gone.unwrap(), expected);
    }
    tx.commit().await.unwrap();
    assert_eq!(quarantine::count(&store).await.unwrap(), 1);
    store.close().await;
}

#[tokio::test]
async fn the_log_is_empty_once_it_was_written_back() {
    let (dir, store) = fresh().await;
    receive(&store, "bob", 1).await;
    let log = dir.path().join("db-wal");
    assert!(std::fs::metadata(&log).unwrap().len() > 0);
    store.empty_log().await.unwrap();
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
    // After a transaction that was given up, too.
    drop(store.begin().await.unwrap());
    store.empty_log().await.unwrap();
    assert_eq!(left(&store, "bob").await, [1]);
    store.close().await;
}

#[tokio::test]
async fn a_policy_is_as_it_was_put() {
    let (_dir, store) = fresh().await;
    assert_eq!(policy::find(&store).await.unwrap(), Policy::default());
    for retention_days in [Some(9), None] {
        let settled = Policy {
            retention_days,
            typing: true,
            read_receipts: false,
            download_up_to: retention_days.map(u64::from),
            attachments_quota: 7,
        };
        let mut tx = store.begin().await.unwrap();
        policy::put(&mut tx, &settled).await.unwrap();
        assert_eq!(policy::find_in(&mut tx).await.unwrap(), settled);
        tx.commit().await.unwrap();
        assert_eq!(policy::find(&store).await.unwrap(), settled);
    }
    store.close().await;
}
