//! What is read piece by piece is of one committed moment, in the order of the conversation.

use crate::support::{fresh, id, new, receive, send, user, with};
use connect_store::amendments::{self, Amendment};
use connect_store::conversations::{self, Conversation};
use connect_store::messages;
use connect_store::reading::{Reading, Window};
use connect_store::received;

async fn ids(reading: &mut Reading, window: Window, limit: u32) -> Vec<String> {
    let bob = Conversation::User(user("bob"));
    let row = reading.conversation(&bob).await.unwrap().unwrap();
    let mut all = Vec::new();
    let mut place = None;
    loop {
        let page = reading.messages(row, place, window, limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        let Some((last, _)) = page.last() else {
            return all;
        };
        place = Some(*last);
        all.extend(
            page.iter()
                .map(|(_, message)| message.message_id.to_string()),
        );
    }
}

fn named(ids: &[u8]) -> Vec<String> {
    ids.iter().map(|n| id(*n).to_string()).collect()
}

#[tokio::test]
async fn writers_go_on_and_are_not_seen() {
    let (_place, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = with(&mut tx, "bob").await;
    for n in 1..=5 {
        receive(&mut tx, row, n, "before").await;
    }
    tx.commit().await.unwrap();
    let mut reading = Reading::begin(&store).await.unwrap();
    assert_eq!(reading.last_event_id(), 5);

    let mut tx = store.begin().await.unwrap();
    receive(&mut tx, row, 6, "meanwhile").await;
    let found = messages::find(&store, id(2)).await.unwrap().unwrap();
    let amendment = Amendment {
        sequence: 9,
        timestamp_ms: 9,
        text: Some("meanwhile"),
    };
    amendments::apply(&mut tx, found.row, amendment)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    for limit in [1, 2, 5, 100] {
        let found = ids(&mut reading, Window::ALWAYS, limit).await;
        assert_eq!(found, named(&[1, 2, 3, 4, 5]));
    }
    let page = reading
        .messages(row, None, Window::ALWAYS, 100)
        .await
        .unwrap();
    assert!(page.iter().all(|(_, message)| message.text == "before"));
    drop(reading);
    let mut now = Reading::begin(&store).await.unwrap();
    let found = ids(&mut now, Window::ALWAYS, 100).await;
    assert_eq!(found, named(&[1, 2, 3, 4, 5, 6]));
    drop(now);
    store.close().await;
}

#[tokio::test]
async fn a_window_is_by_when_something_was_written() {
    let (_place, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = with(&mut tx, "bob").await;
    let bob = user("bob");
    for n in 1..=9 {
        let mut message = new(row, &bob, n, "text");
        message.timestamp_ms = u64::from(10 - n) * 100;
        received::add_message(&mut tx, &message).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut reading = Reading::begin(&store).await.unwrap();
    let window = Window {
        from_ms: 300,
        until_ms: 500,
    };
    for limit in [1, 100] {
        assert_eq!(ids(&mut reading, window, limit).await, named(&[6, 7]));
    }
    drop(reading);
    store.close().await;
}

#[tokio::test]
async fn what_belongs_to_a_message_is_read_with_it() {
    let (_place, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = with(&mut tx, "bob").await;
    let sent = send(&mut tx, row, 1, Ok(b"envelope")).await;
    receive(&mut tx, row, 2, "text").await;
    for n in 1..=3_u8 {
        let text = format!("edit {n}");
        let amendment = Amendment {
            sequence: u64::from(n) + 5,
            timestamp_ms: u64::from(n) + 100,
            text: Some(&text),
        };
        amendments::apply(&mut tx, sent, amendment).await.unwrap();
    }
    let other = Conversation::User(user("carol"));
    let elsewhere = conversations::ensure(&mut tx, &other).await.unwrap();
    receive(&mut tx, elsewhere, 3, "elsewhere").await;
    tx.commit().await.unwrap();

    let mut reading = Reading::begin(&store).await.unwrap();
    let page = reading
        .messages(row, None, Window::ALWAYS, 9)
        .await
        .unwrap();
    let [(_, ours), (_, theirs)] = page.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(ours.recipients.len(), 1);
    assert_eq!(ours.recipients[0].user_id, user("bob"));
    assert!(theirs.recipients.is_empty());
    // The newest of them, the oldest first.
    let (count, earlier) = reading.earlier(sent, 2).await.unwrap();
    let texts: Vec<_> = earlier
        .iter()
        .map(|version| version.text.as_str())
        .collect();
    assert_eq!((count, texts), (3, vec!["edit 1", "edit 2"]));
    assert_eq!(reading.earlier(sent, 0).await.unwrap(), (3, Vec::new()));
    // What stands in another conversation is not answered in this one.
    let asked = [id(1), id(2), id(3), id(4)];
    let answered = reading.answered(row, &asked).await.unwrap();
    let found: Vec<_> = answered
        .iter()
        .map(|(id, found)| (id.to_string(), found.sender.to_string()))
        .collect();
    let expected = [(id(1), "me"), (id(2), "bob")];
    assert_eq!(
        found,
        expected.map(|(id, sender)| (id.to_string(), sender.to_owned()))
    );
    drop(reading);
    store.close().await;
}
