//! What came in: once, in its sender's order, amended by its author alone.

use crate::support::{fresh, id, new, receive, send, user, with};
use connect_proto::ids::InstallationId;
use connect_store::amendments::{self, Amended, Amendment};
use connect_store::conversations::{self, Conversation};
use connect_store::events;
use connect_store::messages::{self, From};
use connect_store::order::{self, Gap, Mark, Patience, Stream};
use connect_store::received::{self, Stored};

#[tokio::test]
async fn the_first_message_under_an_id_stays() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    assert_eq!(receive(&mut tx, bob, 1, "first").await, Stored::New);
    assert_eq!(receive(&mut tx, bob, 1, "first").await, Stored::Repeat);
    assert_eq!(receive(&mut tx, bob, 1, "other").await, Stored::Conflict);
    // What is no message has no other claim to the id, and the other way round.
    let control = received::add_control(&mut tx, &user("bob"), id(1), &[1; 32], 1).await;
    assert_eq!(control.unwrap(), Stored::Conflict);
    for (digest, expected) in [(1, Stored::New), (1, Stored::Repeat), (2, Stored::Conflict)] {
        let stored = received::add_control(&mut tx, &user("bob"), id(2), &[digest; 32], 1).await;
        assert_eq!(stored.unwrap(), expected);
    }
    assert_eq!(receive(&mut tx, bob, 2, "text").await, Stored::Conflict);
    // The same id by another author is another message; one's own is found first.
    send(&mut tx, bob, 1, Ok(b"mine")).await;
    tx.commit().await.unwrap();
    let found = messages::find(&store, id(1)).await.unwrap().unwrap();
    assert!(found.outgoing);
    store.close().await;
}

#[tokio::test]
async fn pages_go_both_ways_and_unread_counts_follow() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let carol = with(&mut tx, "carol").await;
    for n in 1..=5 {
        receive(&mut tx, bob, n, "text").await;
        send(&mut tx, carol, n + 100, Ok(b"noise")).await;
    }
    tx.commit().await.unwrap();
    let page = async |from, limit| -> Vec<u8> {
        let page = messages::list(&store, bob, from, limit).await.unwrap();
        page.iter().map(|m| m.message_id.as_bytes()[0]).collect()
    };
    let place = async |n| {
        messages::find_place(&store, bob, id(n))
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(page(From::Newest, 2).await, [5, 4]);
    assert_eq!(page(From::OlderThan(place(4).await), 9).await, [3, 2, 1]);
    assert_eq!(page(From::NewerThan(place(2).await), 2).await, [4, 3]);

    let listed = conversations::list(&store, None, 10).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].conversation, Conversation::User(user("carol")));
    assert_eq!((listed[0].unread, listed[1].unread), (0, 5));
    let (third, first) = (place(3).await, place(1).await);
    let mut tx = store.begin().await.unwrap();
    let read = conversations::mark_read(&mut tx, bob, third).await.unwrap();
    assert_eq!(read.len(), 3);
    assert_eq!(conversations::count_unread(&mut tx, bob).await.unwrap(), 2);
    let again = conversations::mark_read(&mut tx, bob, first).await.unwrap();
    assert_eq!(again, []);
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn one_that_comes_late_stands_in_its_senders_order_and_is_unread() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    for n in [1, 4] {
        receive(&mut tx, bob, n, "text").await;
    }
    send(&mut tx, bob, 100, Ok(b"mine")).await;
    for n in [3, 2] {
        receive(&mut tx, bob, n, "late").await;
        let sender = user("bob");
        received::move_to_its_place(&mut tx, &new(bob, &sender, n, "late"))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let order = |page: Vec<messages::Message>| -> Vec<u8> {
        page.iter().map(|m| m.message_id.as_bytes()[0]).collect()
    };
    let page = messages::list(&store, bob, From::Newest, 9).await.unwrap();
    assert_eq!(order(page), [100, 4, 3, 2, 1]);
    // Page by page it is the same.
    let place = messages::find_place(&store, bob, id(3))
        .await
        .unwrap()
        .unwrap();
    let below = messages::list(&store, bob, From::OlderThan(place), 1)
        .await
        .unwrap();
    assert_eq!(order(below), [2]);
    let newest = messages::find_place(&store, bob, id(4))
        .await
        .unwrap()
        .unwrap();
    let mut tx = store.begin().await.unwrap();
    let read = conversations::mark_read(&mut tx, bob, newest)
        .await
        .unwrap();
    assert_eq!(read.len(), 4, "the late ones stand before it");
    drop(tx);
    store.close().await;
}

#[tokio::test]
async fn gaps_are_taken_out_by_what_fills_them_and_are_due_in_time() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let stream = Stream {
        conversation: bob,
        sender: user("bob"),
        installation_id: InstallationId::from_bytes([1; 8]),
    };
    assert_eq!(order::find_highest(&mut tx, &stream).await.unwrap(), None);
    let mark = Mark {
        sequence: 9,
        message_id: id(9),
        timestamp_ms: 90,
    };
    order::put_highest(&mut tx, &stream, mark).await.unwrap();
    assert_eq!(
        order::find_highest(&mut tx, &stream).await.unwrap(),
        Some(mark)
    );
    let gap = Gap {
        stream: stream.clone(),
        first: 5,
        last: 8,
        before: (id(4), 40),
        after: (id(9), 90),
        noticed_ms: 100,
    };
    order::add_gap(&mut tx, &gap).await.unwrap();
    assert_eq!(order::take_gap(&mut tx, &stream, 9).await.unwrap(), None);
    let patience = Patience {
        noticed_ms: 60,
        asked_ms: 1000,
        most_times: 2,
    };
    let due = async |tx: &mut _, now_ms| {
        let found = order::find_due(tx, now_ms, patience, 9).await.unwrap();
        found.first().map(|due| due.gap)
    };
    assert_eq!(due(&mut tx, 159).await, None);
    let gap_id = due(&mut tx, 160).await.unwrap();
    assert!(due(&mut tx, 99).await.is_some(), "the clock was set back");
    order::note_asked(&mut tx, gap_id, 160).await.unwrap();
    assert_eq!(due(&mut tx, 1159).await, None);
    assert!(due(&mut tx, 1160).await.is_some());
    order::note_asked(&mut tx, gap_id, 1160).await.unwrap();
    assert_eq!(due(&mut tx, 9999).await, None, "often enough");
    assert_eq!(
        order::take_gap(&mut tx, &stream, 6).await.unwrap(),
        Some(gap)
    );
    tx.commit().await.unwrap();
    assert_eq!(order::count_missing(&store).await.unwrap(), 0);
    store.close().await;
}

#[tokio::test]
async fn the_latest_amendment_counts_and_every_text_is_kept() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    receive(&mut tx, bob, 1, "first").await;
    let (row, _) = received::find_in(&mut tx, &user("bob"), id(1))
        .await
        .unwrap()
        .unwrap();
    let amendment = |sequence, text| Amendment {
        sequence,
        timestamp_ms: sequence * 10,
        text,
    };
    for (sequence, text, expected) in [
        (5, Some("third"), Amended::Edited),
        (3, Some("second, late"), Amended::Outdated),
        (5, Some("third"), Amended::Outdated),
        (7, None, Amended::Deleted),
        (9, Some("after"), Amended::Outdated),
        (8, None, Amended::Outdated),
    ] {
        let amended = amendments::apply(&mut tx, row, amendment(sequence, text)).await;
        assert_eq!(amended.unwrap(), expected, "{sequence}");
    }
    // It is still the message that it was.
    assert_eq!(receive(&mut tx, bob, 1, "first").await, Stored::Repeat);
    tx.commit().await.unwrap();
    let found = messages::find(&store, id(1)).await.unwrap().unwrap();
    assert_eq!((found.text.as_str(), found.deleted_ms), ("", Some(70)));
    let versions = amendments::list_versions(&store, row).await.unwrap();
    let texts: Vec<_> = versions
        .iter()
        .map(|version| version.text.as_str())
        .collect();
    assert_eq!(texts, ["first", "second, late", "third", "third", "after"]);
    store.close().await;
}

#[tokio::test]
async fn an_amendment_waits_for_its_message() {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let bob = with(&mut tx, "bob").await;
    let sender = user("bob");
    for (sequence, text) in [(4, "third"), (3, "second")] {
        let amendment = Amendment {
            sequence,
            timestamp_ms: sequence,
            text: Some(text),
        };
        amendments::keep_early(&mut tx, bob, &sender, id(2), (amendment, 7))
            .await
            .unwrap();
    }
    assert!(amendments::has_early(&mut tx).await.unwrap());
    // Of a message that never comes, for as long as it could.
    let never = Amendment {
        sequence: 5,
        timestamp_ms: 5,
        text: None,
    };
    amendments::keep_early(&mut tx, bob, &sender, id(9), (never, 6))
        .await
        .unwrap();
    assert_eq!(amendments::expire_early(&mut tx, 6, 9).await.unwrap(), 0);
    assert_eq!(amendments::expire_early(&mut tx, 7, 9).await.unwrap(), 1);
    receive(&mut tx, bob, 2, "first").await;
    let (row, _) = received::find_in(&mut tx, &sender, id(2))
        .await
        .unwrap()
        .unwrap();
    amendments::apply_early(&mut tx, row, bob, &sender, id(2))
        .await
        .unwrap();
    assert!(!amendments::has_early(&mut tx).await.unwrap());
    tx.commit().await.unwrap();
    let found = messages::find(&store, id(2)).await.unwrap().unwrap();
    assert_eq!((found.text.as_str(), found.edited_ms), ("third", Some(4)));
    store.close().await;
}

/// Everything that is told of a page once it is stored.
#[expect(clippy::unwrap_used, reason = "a test's helper")]
async fn told_of(
    texts: &[&str],
    as_a_page: bool,
) -> (Vec<(Stored, Option<u64>)>, String, Vec<u64>) {
    let (_dir, store) = fresh().await;
    let mut tx = store.begin().await.unwrap();
    let row = with(&mut tx, "bob").await;
    let bob = user("bob");
    received::add_control(&mut tx, &bob, id(9), &[1; 32], 1)
        .await
        .unwrap();
    let numbered = (1..).zip(texts);
    let mut page: Vec<_> = numbered.map(|(n, text)| new(row, &bob, n, text)).collect();
    page[1].reply_to = Some(id(1));
    // The same once more, another under its id, and the id of something else.
    page.extend([new(row, &bob, 1, texts[0]), new(row, &bob, 1, "other")]);
    page.push(new(row, &bob, 9, "control"));
    let stored = if as_a_page {
        received::add_messages(&mut tx, &page).await.unwrap()
    } else {
        let mut stored = Vec::new();
        for new in &page {
            stored.push(received::add_message(&mut tx, new).await.unwrap());
        }
        stored
    };
    tx.commit().await.unwrap();
    let kept = messages::list(&store, row, From::Newest, 50).await.unwrap();
    let kept: Vec<_> = kept
        .iter()
        .map(|kept| {
            (
                kept.message_id,
                &kept.text,
                kept.reply_to,
                kept.timestamp_ms,
            )
        })
        .collect();
    let events = events::list(&store, 0, 50).await.unwrap();
    let events = events.iter().map(|event| event.event_id).collect();
    store.close().await;
    (stored, format!("{kept:?}"), events)
}

/// The same messages, the same events in the same order, the same answers.
#[tokio::test]
async fn a_page_is_stored_as_its_messages_would_be_one_by_one() {
    for texts in [
        ["first", "with \" and \\ and \u{1f9e1}\n", "last"],
        ["first", "with a \0 in it", "last"],
    ] {
        let page = told_of(&texts, true).await;
        assert_eq!(page, told_of(&texts, false).await);
        let outcomes: Vec<_> = page.0.iter().map(|(stored, _)| *stored).collect();
        assert_eq!(outcomes[..3], [Stored::New; 3]);
        let rest = [Stored::Repeat, Stored::Conflict, Stored::Conflict];
        assert_eq!(outcomes[3..], rest);
        assert_eq!(page.2, [1, 2, 3]);
        assert!(page.1.contains(&format!("{:?}", texts[1])), "{}", page.1);
    }
}
