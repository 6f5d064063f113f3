//! A fresh database, and what stands in it.

use std::path::Path;

use connect_core::secret::DatabaseKey;
use connect_proto::ids::{InstallationId, MessageId, UserId};
use connect_store::codes::StateReason;
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::database::{Store, Tx};
use connect_store::new::NewMessage;
use connect_store::outgoing::{self, Outgoing, Recipients, To};
use connect_store::place::MessageRow;
use connect_store::received::{self, Stored};
use connect_store::recipients;

pub(crate) fn key(seed: u8) -> DatabaseKey {
    DatabaseKey::from_bytes(&[seed; 32])
}

pub(crate) fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub(crate) fn id(n: u8) -> MessageId {
    MessageId::from_bytes([n; 16])
}

/// Where a database lies that its test closes.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let closed = std::thread::panicking() || !self.path().join("db-wal").exists();
        assert!(
            closed,
            "a test ends with its database open: see Store::close"
        );
    }
}

pub(crate) async fn fresh() -> (Place, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(&dir.path().join("db"), key(1)).await.unwrap();
    (Place(dir), store)
}

pub(crate) async fn with(tx: &mut Tx, name: &str) -> ConversationRow {
    conversations::ensure(tx, &Conversation::User(user(name)))
        .await
        .unwrap()
}

pub(crate) fn new<'a>(
    conversation: ConversationRow,
    sender: &'a UserId,
    n: u8,
    text: &'a str,
) -> NewMessage<'a> {
    NewMessage {
        conversation,
        sender,
        message_id: id(n),
        timestamp_ms: 5,
        stored_ms: 6,
        installation_id: InstallationId::from_bytes([1; 8]),
        sequence: u64::from(n),
        retired_key: false,
        text,
        reply_to: None,
    }
}

/// A message from bob, whose number is its id's.
pub(crate) async fn receive(
    tx: &mut Tx,
    conversation: ConversationRow,
    n: u8,
    text: &str,
) -> Stored {
    let bob = user("bob");
    let new = new(conversation, &bob, n, text);
    received::add_message(tx, &new).await.unwrap().0
}

/// A message of ours on its way.
pub(crate) async fn send(
    tx: &mut Tx,
    conversation: ConversationRow,
    n: u8,
    envelope: Result<&[u8], StateReason>,
) -> MessageRow {
    let (me, bob) = (user("me"), user("bob"));
    let outgoing = Outgoing {
        message: new(conversation, &me, n, "text"),
        recipients: Recipients::One(To {
            user_id: &bob,
            hold: envelope.err(),
        }),
        envelope: envelope.ok(),
        app: "app",
        client_ref: (n == 1).then_some("ref"),
        digest: &[n; 32],
    };
    outgoing::add(tx, &outgoing).await.unwrap();
    let found = recipients::find_sent(tx, &me, id(n)).await.unwrap();
    found.unwrap().row
}
