//! The event log.

use crate::support::fresh;
use connect_store::codes::EventKind;
use connect_store::events::{self, NewEvent};

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
    drop(tx);
    store.close().await;
}
