//! The chain of the audit log, whatever becomes of the transactions that lengthen it.

use crate::support::fresh;
use connect_core::secret::PseudonymKey;
use connect_store::audit::{self, Deed, Tally};
use connect_store::database::Store;

const ONCE: Tally = Tally {
    first_ms: 1,
    last_ms: 1,
    count: 1,
};

fn deed(method: &str) -> Deed {
    Deed {
        app: Some("owner".to_owned()),
        uid: Some(0),
        pid: None,
        method: method.to_owned(),
        object: None,
        outcome: "ok".to_owned(),
    }
}

async fn enter(store: &Store, methods: &[&str], is_committed: bool) {
    let mut tx = store.begin().await.unwrap();
    for method in methods {
        audit::append(&mut tx, &deed(method), ONCE).await.unwrap();
    }
    if is_committed {
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_was_given_up_leaves_no_gap_in_the_chain() {
    let (_dir, store) = fresh().await;
    audit::key(&store, PseudonymKey::from_bytes(&[1; 32]))
        .await
        .unwrap();
    enter(&store, &["first", "second"], true).await;
    enter(&store, &["given up"], false).await;
    enter(&store, &["third"], true).await;
    enter(&store, &["given up", "too"], false).await;
    let entries = audit::list(&store, 0, 10).await.unwrap();
    let methods: Vec<_> = entries
        .iter()
        .map(|entry| entry.deed.method.as_str())
        .collect();
    assert_eq!(methods, ["first", "second", "third"]);
    let verdict = audit::verify(&store).await.unwrap();
    assert_eq!((verdict.entries, verdict.broken), (3, None));
    assert_eq!(verdict.head, entries[2].hash);
    store.close().await;
}
