//! The audit log under the hands of someone who has the database open.

use connect_core::secret::{DatabaseKey, PseudonymKey};
use tempfile::TempDir;

use super::*;

const ENTRIES: u64 = 7;

async fn written() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let key_bytes = DatabaseKey::from_bytes(&[3; 32]);
    let store = Store::create(&path, key_bytes).await.unwrap();
    key(&store, PseudonymKey::from_bytes(&[1; 32]))
        .await
        .unwrap();
    let mut tx = store.begin().await.unwrap();
    for number in 1..=ENTRIES {
        let deed = Deed {
            app: (number % 2 == 0).then(|| "owner".to_owned()),
            uid: Some(7),
            pid: (number > 3).then_some(9),
            method: "messages.send".to_owned(),
            object: (number > 2).then_some([number.to_be_bytes()[7]; pseudonym::LEN]),
            outcome: "ok".to_owned(),
        };
        let tally = Tally {
            first_ms: number,
            last_ms: number + 1,
            count: 1,
        };
        append(&mut tx, &deed, tally).await.unwrap();
    }
    tx.commit().await.unwrap();
    (dir, store)
}

async fn tamper(store: &Store, statement: &'static str) {
    let mut tx = store.begin().await.unwrap();
    let done = sqlx::query(statement)
        .execute(tx.connection())
        .await
        .unwrap();
    assert!(done.rows_affected() > 0, "{statement}");
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_intact() {
    let (_dir, store) = written().await;
    let verdict = verify(&store).await.unwrap();
    assert_eq!((verdict.entries, verdict.broken), (ENTRIES, None));
    let last = list(&store, ENTRIES - 1, 9).await.unwrap();
    assert_eq!(last[0].hash, verdict.head);
    store.close().await;
}

#[tokio::test]
async fn every_change_shows_where_it_is() {
    for (statement, broken) in [
        (
            "UPDATE audit SET outcome = 'forbidden' WHERE entry = 4",
            Broken::Changed(4),
        ),
        (
            "UPDATE audit SET app = NULL WHERE entry = 2",
            Broken::Changed(2),
        ),
        (
            "UPDATE audit SET app = '' WHERE entry = 1",
            Broken::Changed(1),
        ),
        (
            "UPDATE audit SET uid = 8 WHERE entry = 1",
            Broken::Changed(1),
        ),
        (
            "UPDATE audit SET pid = NULL WHERE entry = 5",
            Broken::Changed(5),
        ),
        (
            "UPDATE audit SET method = 'messages.get' WHERE entry = 7",
            Broken::Changed(7),
        ),
        (
            "UPDATE audit SET object = zeroblob(16) WHERE entry = 3",
            Broken::Changed(3),
        ),
        (
            "UPDATE audit SET first_ms = 0 WHERE entry = 6",
            Broken::Changed(6),
        ),
        (
            "UPDATE audit SET last_ms = 0 WHERE entry = 6",
            Broken::Changed(6),
        ),
        (
            "UPDATE audit SET count = 2 WHERE entry = 6",
            Broken::Changed(6),
        ),
        (
            "UPDATE audit SET hash = zeroblob(32) WHERE entry = 6",
            Broken::Changed(6),
        ),
        (
            "UPDATE audit SET count = -1 WHERE entry = 6",
            Broken::Changed(6),
        ),
        (
            "UPDATE audit SET object = x'00' WHERE entry = 6",
            Broken::Changed(6),
        ),
        (
            "UPDATE audit_state SET head = zeroblob(32)",
            Broken::Changed(7),
        ),
        ("DELETE FROM audit WHERE entry = 1", Broken::Missing(1)),
        ("DELETE FROM audit WHERE entry = 4", Broken::Missing(4)),
        ("DELETE FROM audit WHERE entry = 7", Broken::Missing(7)),
        ("DELETE FROM audit", Broken::Missing(1)),
    ] {
        let (_dir, store) = written().await;
        tamper(&store, statement).await;
        let verdict = verify(&store).await.unwrap();
        assert_eq!(verdict.broken, Some(broken), "{statement}");
        store.close().await;
    }
}

#[tokio::test]
async fn an_entry_that_is_put_in_the_place_of_another_shows() {
    let (_dir, store) = written().await;
    tamper(&store, "DELETE FROM audit WHERE entry = 4").await;
    tamper(&store, "UPDATE audit SET entry = entry - 1 WHERE entry > 4").await;
    let verdict = verify(&store).await.unwrap();
    assert_eq!(verdict.broken, Some(Broken::Changed(4)));
    store.close().await;
}

#[tokio::test]
async fn the_key_for_pseudonyms_stays() {
    let (_dir, store) = written().await;
    let again = key(&store, PseudonymKey::from_bytes(&[2; 32]))
        .await
        .unwrap();
    assert_eq!(again.expose(), &[1; 32]);
    store.close().await;
}
