//! Entries of cases as they were sent: for whoever joins later, and for whoever joined while they were on their way.

use crate::support::{fresh, id, user};
use connect_proto::ids::{CaseId, UserId};
use connect_proto::wire;
use connect_store::cases::entries::NewEntry;
use connect_store::cases::{self, CaseRow, entries};
use connect_store::conversations::ConversationRow;
use connect_store::database::Tx;
use connect_store::outbox::Freight;
use connect_store::outgoing::{self, Control, Recipients};

const CASE: CaseId = CaseId::from_bytes([9; 16]);

async fn case(tx: &mut Tx) -> CaseRow {
    cases::ensure(tx, CASE, 5).await.unwrap().row
}

#[tokio::test]
async fn entries_stay_in_their_order_and_what_is_no_control_or_field_expires() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = case(&mut tx).await;
    let sender = user("bob");
    let mut keep = async |n: u8, lasting: bool, place: Option<i64>| {
        let sealed = wire::CaseSealed {
            epoch: n.into(),
            recipient_ids: vec!["carol".to_owned()],
            ..Default::default()
        };
        let entry = NewEntry {
            sender: &sender,
            message_id: id(n),
            lasting,
            ours: false,
            sealed: &sealed,
            stored_ms: n.into(),
            place,
        };
        entries::put(&mut tx, row, entry).await.unwrap();
        entries::first_place(&mut tx, row).await.unwrap()
    };
    keep(5, true, None).await;
    let place = keep(6, false, None).await;
    keep(2, false, Some(place)).await;
    keep(1, true, Some(place - 1)).await;
    keep(6, false, None).await;
    tx.commit().await.unwrap();
    let order = async || -> Vec<u32> {
        let entries = entries::list(&store, row).await.unwrap();
        assert!(entries.iter().all(|entry| entry.recipient_ids.is_empty()));
        entries.iter().map(|entry| entry.epoch).collect()
    };
    assert_eq!(order().await, [1, 2, 5, 6]);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(entries::expire(&mut tx, 6, 10).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(order().await, [1, 5, 6]);
    assert_eq!(entries::count(&store, row).await.unwrap(), 3);
    store.close().await;
}

async fn write(tx: &mut Tx, (row, of): (CaseRow, ConversationRow), me: &UserId, n: u8) {
    let entry = NewEntry {
        sender: me,
        message_id: id(n),
        lasting: false,
        ours: true,
        sealed: &wire::CaseSealed::default(),
        stored_ms: n.into(),
        place: None,
    };
    entries::put(tx, row, entry).await.unwrap();
    let control = Control {
        conversation: of,
        message_id: id(n),
        timestamp_ms: n.into(),
        sequence: n.into(),
        payload: b"",
        recipients: Recipients::Several(&[]),
        envelope: Some(b"sealed"),
    };
    outgoing::add_control(tx, &control).await.unwrap();
}

#[tokio::test]
async fn what_is_on_its_way_is_what_was_not_sent_or_not_long_ago() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let found = cases::ensure(&mut tx, CASE, 5).await.unwrap();
    let (row, of, me) = (found.row, found.conversation, user("alice"));
    let bob = user("bob");
    for n in 1..=4 {
        write(&mut tx, (row, of), &me, n).await;
    }
    for (n, sent_ms) in [(1, 100), (2, 200), (4, 300)] {
        entries::note_sent(&mut tx, of, id(n), sent_ms)
            .await
            .unwrap();
    }
    let on_its_way = async |tx: &mut Tx, since_ms, limit| {
        let found = outgoing::list_in_flight(tx, (of, &bob), since_ms, limit).await;
        found.unwrap()
    };
    let all = on_its_way(&mut tx, 0, 9).await;
    assert_eq!(all.len(), 4);
    assert!(matches!(all[0], Freight::Control(_)));
    assert_eq!(on_its_way(&mut tx, 200, 9).await, all[1..]);
    assert_eq!(on_its_way(&mut tx, 301, 9).await, all[2..3]);
    assert_eq!(on_its_way(&mut tx, 200, 2).await, all[2..]);
    // What was taken back never went out.
    entries::remove(&mut tx, of, &me, id(3)).await.unwrap();
    assert!(on_its_way(&mut tx, 301, 9).await.is_empty());
    tx.commit().await.unwrap();
    assert_eq!(entries::count(&store, row).await.unwrap(), 3);
    store.close().await;
}
