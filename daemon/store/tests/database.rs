//! The database as a whole: encrypted at rest, opened by its own key alone, and each aggregate's promises.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use connect_core::secret::DatabaseKey;
use connect_proto::ids::{InstallationId, MessageId, UserId};
use connect_store::codes::{EventKind, RecipientState, StateReason};
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::database::{Store, Tx};
use connect_store::error::StoreError;
use connect_store::events::{self, NewEvent};
use connect_store::messages::{self, From, MessageRow, NewMessage, Recipient, Stored};
use connect_store::outgoing::{self, Outgoing};
use connect_store::{outbox, quarantine};

const TEXT: &str = "potassium-canary-3.1";

fn key(seed: u8) -> DatabaseKey {
    DatabaseKey::from_bytes(&[seed; 32])
}

fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

async fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(&dir.path().join("db"), key(1)).await.unwrap();
    (dir, store)
}

async fn with(tx: &mut Tx, name: &str) -> ConversationRow {
    conversations::ensure(tx, &Conversation::User(user(name)))
        .await
        .unwrap()
}

async fn add(
    tx: &mut Tx,
    conversation: ConversationRow,
    id: u8,
    text: &str,
    outgoing: bool,
) -> Stored {
    let sender = user(if outgoing { "me" } else { "bob" });
    let new = NewMessage {
        conversation,
        sender: &sender,
        message_id: MessageId::from_bytes([id; 16]),
        outgoing,
        timestamp_ms: 5,
        stored_ms: 6,
        installation_id: InstallationId::from_bytes([1; 8]),
        sequence: u64::from(id),
        retired_key: false,
        text,
        reply_to: None,
        client_ref: None,
    };
    messages::add(tx, &new).await.unwrap()
}

/// A message of ours on its way to bob.
async fn send(tx: &mut Tx, conversation: ConversationRow, id: u8) -> MessageRow {
    let (me, bob) = (user("me"), user("bob"));
    let message_id = MessageId::from_bytes([id; 16]);
    let new = Outgoing {
        message: NewMessage {
            conversation,
            sender: &me,
            message_id,
            outgoing: true,
            timestamp_ms: 5,
            stored_ms: 10,
            installation_id: InstallationId::from_bytes([1; 8]),
            sequence: u64::from(id),
            retired_key: false,
            text: "text",
            reply_to: None,
            client_ref: (id == 1).then_some("ref"),
        },
        recipient: &bob,
        envelope: b"envelope",
        app: "app",
        digest: &[id; 32],
    };
    outgoing::add(tx, &new).await.unwrap();
    let found = messages::find_outgoing(tx, &me, message_id).await.unwrap();
    found.unwrap().0
}

fn row(stored: Stored) -> MessageRow {
    match stored {
        Stored::New(row) => row,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_file_is_encrypted_and_opens_under_its_own_key_alone() {
    let (dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    add(&mut tx, bob, 1, TEXT, false).await;
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
    let found = messages::find(&store, MessageId::from_bytes([1; 16])).await;
    assert_eq!(found.unwrap().unwrap().text, TEXT);
}

#[tokio::test]
async fn the_first_message_under_an_id_stays() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    row(add(&mut tx, bob, 1, "first", false).await);
    assert_eq!(add(&mut tx, bob, 1, "first", false).await, Stored::Repeat);
    assert_eq!(add(&mut tx, bob, 1, "other", false).await, Stored::Conflict);
    // The same id by another author is another message.
    row(add(&mut tx, bob, 1, "mine", true).await);
    tx.commit().await.unwrap();
    let found = messages::find(&store, MessageId::from_bytes([1; 16])).await;
    assert_eq!(found.unwrap().unwrap().text, "first");
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    add(&mut tx, bob, 1, "gone", false).await;
    drop(tx);
    let found = messages::find(&store, MessageId::from_bytes([1; 16])).await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn pages_go_both_ways_and_unread_counts_follow() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let carol = with(&mut tx, "carol").await;
    let mut rows = Vec::new();
    for id in 1..=5 {
        rows.push(row(add(&mut tx, bob, id, "text", false).await));
        add(&mut tx, carol, id + 100, "noise", true).await;
    }
    tx.commit().await.unwrap();
    let ids = |page: Vec<messages::Message>| -> Vec<u8> {
        page.iter().map(|m| m.message_id.as_bytes()[0]).collect()
    };
    let newest = messages::list(&store, bob, From::Newest, 2).await.unwrap();
    assert_eq!(ids(newest), [5, 4]);
    let older = messages::list(&store, bob, From::OlderThan(rows[3]), 9).await;
    assert_eq!(ids(older.unwrap()), [3, 2, 1]);
    let newer = messages::list(&store, bob, From::NewerThan(rows[1]), 2).await;
    assert_eq!(ids(newer.unwrap()), [4, 3]);

    let listed = conversations::list(&store, None, 10).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].conversation, Conversation::User(user("carol")));
    assert_eq!((listed[0].unread, listed[1].unread), (0, 5));
    let mut tx = store.begin().await.unwrap();
    let unread = conversations::mark_read(&mut tx, bob, rows[2].0).await;
    assert_eq!(unread.unwrap(), 2);
    let again = conversations::mark_read(&mut tx, bob, rows[0].0).await;
    assert_eq!(again.unwrap(), 2, "reading goes forward only");
}

#[tokio::test]
async fn a_message_waits_for_the_earlier_one_of_its_conversation() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let carol = with(&mut tx, "carol").await;
    let first = send(&mut tx, bob, 1).await;
    send(&mut tx, bob, 2).await;
    let other = send(&mut tx, carol, 3).await;
    tx.commit().await.unwrap();
    assert!(outbox::find_due(&store, 9).await.unwrap().is_none());
    let due = outbox::find_due(&store, 10).await.unwrap().unwrap();
    assert_eq!((due.message, due.attempts), (first, 0));
    let mut tx = store.begin().await.unwrap();
    outbox::postpone(&mut tx, first, 1, 1000).await.unwrap();
    tx.commit().await.unwrap();
    let due = outbox::find_due(&store, 10).await.unwrap().unwrap();
    assert_eq!(due.message, other);
    let mut tx = store.begin().await.unwrap();
    outbox::remove(&mut tx, other).await.unwrap();
    tx.commit().await.unwrap();
    assert!(outbox::find_due(&store, 10).await.unwrap().is_none());
    assert_eq!(outbox::next_due_ms(&store).await.unwrap(), Some(1000));
    assert_eq!(outbox::count(&store).await.unwrap(), (2, 0));
}

#[tokio::test]
async fn what_is_sent_is_stored_queued_told_and_remembered_together() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let first = send(&mut tx, bob, 1).await;
    send(&mut tx, bob, 2).await;
    let remembered = outbox::find_client_ref(&mut tx, "app", "ref").await;
    let remembered = remembered.unwrap().unwrap();
    assert_eq!((remembered.message, remembered.digest), (first, [1; 32]));
    tx.commit().await.unwrap();
    assert_eq!(
        outbox::find_due(&store, 10).await.unwrap().unwrap().message,
        first
    );
    assert_eq!(outbox::count(&store).await.unwrap(), (2, 0));
    let told = events::list(&store, 0, 9).await.unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].message_id, Some(MessageId::from_bytes([1; 16])));
    assert_eq!(told[0].state, Some(RecipientState::Queued));
    assert_eq!(told[0].user_id.as_deref(), Some("bob"));
}

#[tokio::test]
async fn recipients_keep_their_state_and_reason() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let message = send(&mut tx, bob, 1).await;
    let mut recipient = Recipient {
        user_id: user("bob"),
        state: RecipientState::Queued,
        reason: None,
        changed_ms: 10,
    };
    let listed = messages::list_recipients(&mut tx, message).await.unwrap();
    assert_eq!(listed, [recipient.clone()]);
    recipient.state = RecipientState::Failed;
    recipient.reason = Some(StateReason::Expired);
    messages::set_recipient(&mut tx, message, &recipient)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let listed = messages::list(&store, bob, From::Newest, 5).await.unwrap();
    assert_eq!(listed[0].recipients, [recipient.clone()]);
    let found = messages::find_by_row(&store, message)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.recipients, [recipient]);
}

#[tokio::test]
async fn sequences_rise_per_conversation() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = with(&mut tx, "bob").await;
    for (name, expected) in [("bob", 1), ("bob", 2), ("carol", 1), ("bob", 3)] {
        let conversation = Conversation::User(user(name));
        let next = conversations::next_sequence(&mut tx, &conversation).await;
        let (found, sequence) = next.unwrap();
        assert_eq!(sequence, expected);
        assert_eq!(found == row, name == "bob");
    }
}

#[tokio::test]
async fn a_closed_database_says_so() {
    let (_dir, store) = fresh().await;
    store.close().await;
    assert_eq!(store.begin().await.unwrap_err(), StoreError::Closed);
    let found = messages::find(&store, MessageId::from_bytes([1; 16])).await;
    assert_eq!(found.unwrap_err(), StoreError::Closed);
}

#[tokio::test]
async fn events_rise_even_after_the_newest_has_expired() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    for at_ms in [10, 30, 20] {
        let event = NewEvent::of(EventKind::RelayReachable, at_ms);
        events::append(&mut tx, &event).await.unwrap();
    }
    assert_eq!(
        events::expire(&mut tx, 25, 100).await.unwrap(),
        1,
        "a prefix only"
    );
    tx.commit().await.unwrap();
    assert_eq!(events::first_id(&store).await.unwrap(), Some(2));
    assert_eq!(events::list(&store, 2, 9).await.unwrap().len(), 1);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(events::expire(&mut tx, 99, 100).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(events::last_id(&store).await.unwrap(), 3);
    let mut tx = store.begin().await.unwrap();
    let event = NewEvent::of(EventKind::RelayReachable, 50);
    assert_eq!(events::append(&mut tx, &event).await.unwrap(), 4);
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
}
