//! What the index promises: it finds what the messages say now, and nothing else.

use connect_core::secret::DatabaseKey;
use connect_proto::ids::InstallationId;

use super::*;
use crate::new::NewMessage;
use crate::received;

async fn fresh() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let key = DatabaseKey::from_bytes(&[1; 32]);
    let store = Store::create(&dir.path().join("db"), key).await.unwrap();
    (dir, store)
}

async fn add(store: &Store, with: &str, n: u32, text: &str) {
    let user: UserId = with.parse().unwrap();
    let mut tx = store.begin().await.unwrap();
    let conversation = conversations::ensure(&mut tx, &Conversation::User(user.clone()))
        .await
        .unwrap();
    let mut message_id = [0; 16];
    message_id[..4].copy_from_slice(&n.to_be_bytes());
    let new = NewMessage {
        conversation,
        sender: &user,
        message_id: MessageId::from_bytes(message_id),
        timestamp_ms: u64::from(n),
        stored_ms: 6,
        installation_id: InstallationId::from_bytes([1; 8]),
        sequence: u64::from(n),
        retired_key: false,
        text,
        reply_to: None,
    };
    received::add_message(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn index_some(store: &Store, limit: u32) -> u64 {
    let mut tx = store.begin().await.unwrap();
    let done = index(&mut tx, limit).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn change(store: &Store, sql: &'static str) {
    let mut tx = store.begin().await.unwrap();
    sqlx::raw_sql(sql).execute(tx.connection()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn words_in_index(store: &Store) -> Vec<String> {
    let rows = sqlx::query("SELECT DISTINCT term FROM vocabulary WHERE col = 'text' ORDER BY term")
        .fetch_all(store.reader())
        .await
        .unwrap();
    rows.iter().map(|row| row.try_get(0).unwrap()).collect()
}

/// The index says what the messages say.
async fn check(store: &Store) {
    change(
        store,
        "INSERT INTO search (search, rank) VALUES ('integrity-check', 1)",
    )
    .await;
}

/// All pages; each hit as the time at which it was sent.
async fn hits_in(store: &Store, with: Option<&str>, query: &str, limit: u32) -> Vec<u64> {
    let query = Query::parse(query).unwrap();
    let conversation = match with {
        Some(with) => {
            let named = Conversation::User(with.parse().unwrap());
            conversations::find(store, &named).await.unwrap()
        }
        None => None,
    };
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let wanted = Wanted {
            query: &query,
            conversation,
            before,
            limit,
        };
        let found = find(store, &wanted).await.unwrap();
        assert!(found.hits.len() <= limit as usize);
        all.extend(found.hits.iter().map(|hit| hit.timestamp_ms));
        match found.next {
            Some(next) => before = Some(next),
            None => return all,
        }
    }
}

async fn hits(store: &Store, query: &str) -> Vec<u64> {
    hits_in(store, None, query, 3).await
}

#[tokio::test]
async fn it_does_not_matter_how_far_the_index_is() {
    let (_dir, store) = fresh().await;
    for n in 0..20 {
        let with = if n % 2 == 0 { "bob" } else { "carol" };
        let text = format!("Müller {} potassium number{n}", n % 3);
        add(&store, with, n, &text).await;
    }
    for indexed in 0..=20 {
        let all: Vec<u64> = (0..20).rev().collect();
        assert_eq!(hits(&store, "MULLER pota*").await, all, "{indexed}");
        assert_eq!(
            hits(&store, "\"müller 1\"").await,
            [19, 16, 13, 10, 7, 4, 1]
        );
        assert_eq!(
            hits_in(&store, Some("bob"), "n* 0", 2).await,
            [18, 12, 6, 0]
        );
        assert_eq!(hits(&store, "number7").await, [7]);
        assert_eq!(hits(&store, "numb* \"0 pot\"*").await.len(), 7);
        assert!(hits(&store, "\"potassium muller\"").await.is_empty());
        assert_eq!(index_some(&store, 1).await, u64::from(indexed < 20));
    }
    assert!(!is_behind(&store).await.unwrap());
    check(&store).await;
    store.close().await;
}

#[tokio::test]
async fn an_indexing_that_is_cut_off_loses_and_doubles_nothing() {
    let (_dir, store) = fresh().await;
    for n in 0..6 {
        add(&store, "bob", n, "potassium").await;
    }
    index_some(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    index(&mut tx, 3).await.unwrap();
    drop(tx);
    assert_eq!(hits(&store, "potassium").await, [5, 4, 3, 2, 1, 0]);
    assert_eq!(index_some(&store, 100).await, 4);
    assert_eq!(hits(&store, "potassium").await, [5, 4, 3, 2, 1, 0]);
    check(&store).await;
    store.close().await;
}

#[tokio::test]
async fn edits_and_removals_are_followed_whether_or_not_they_are_indexed() {
    let (_dir, store) = fresh().await;
    for n in 0..8 {
        add(&store, "bob", n, "first version").await;
    }
    index_some(&store, 4).await;
    change(
        &store,
        "UPDATE messages SET text = 'second version' WHERE timestamp_ms IN (1, 5);
         UPDATE messages SET text = '' WHERE timestamp_ms IN (2, 6);
         DELETE FROM messages WHERE timestamp_ms IN (3, 7)",
    )
    .await;
    for _ in 0..2 {
        assert_eq!(hits(&store, "first").await, [4, 0]);
        assert_eq!(hits(&store, "sec*").await, [5, 1]);
        assert_eq!(hits(&store, "version").await, [5, 4, 1, 0]);
        check(&store).await;
        index_some(&store, 100).await;
    }
    store.close().await;
}

#[tokio::test]
async fn what_is_removed_leaves_the_index_and_its_words_with_it() {
    let (_dir, store) = fresh().await;
    for n in 0..200 {
        let text = if n == 77 {
            "canary edited"
        } else {
            "anything else"
        };
        add(&store, "bob", n, text).await;
    }
    index_some(&store, 1000).await;
    assert!(words_in_index(&store).await.contains(&"canary".to_owned()));
    change(
        &store,
        "UPDATE messages SET text = 'edited' WHERE timestamp_ms = 77",
    )
    .await;
    change(&store, "DELETE FROM messages WHERE timestamp_ms = 78").await;
    assert_eq!(words_in_index(&store).await, ["anything", "edited", "else"]);
    assert!(hits(&store, "canary").await.is_empty());
    let row = sqlx::query("SELECT v FROM search_config WHERE k = 'secure-delete'");
    let row = row.fetch_one(store.reader()).await.unwrap();
    assert_eq!(row.try_get::<i64, _>(0).unwrap(), 1);
    let row = sqlx::query("PRAGMA secure_delete").fetch_one(store.reader());
    assert_eq!(row.await.unwrap().try_get::<i64, _>(0).unwrap(), 1);
    store.close().await;
}

#[tokio::test]
async fn a_row_that_becomes_free_is_found_again_with_its_new_message() {
    let (_dir, store) = fresh().await;
    for n in 0..3 {
        add(&store, "bob", n, "old").await;
    }
    index_some(&store, 100).await;
    change(&store, "DELETE FROM messages WHERE timestamp_ms = 1").await;
    change(&store, "DELETE FROM messages WHERE timestamp_ms = 2").await;
    add(&store, "bob", 9, "new").await;
    assert_eq!(hits(&store, "new").await, [9]);
    assert_eq!(index_some(&store, 100).await, 1);
    assert_eq!(hits(&store, "new").await, [9]);
    change(&store, "DELETE FROM messages").await;
    add(&store, "bob", 10, "new").await;
    index_some(&store, 100).await;
    assert_eq!(hits(&store, "new").await, [10]);
    check(&store).await;
    store.close().await;
}

#[tokio::test]
async fn the_index_sees_the_words_that_we_see() {
    let (_dir, store) = fresh().await;
    let ranges = [
        '!'..='\u{17f}',
        '\u{386}'..='\u{3ce}',
        '\u{400}'..='\u{481}',
        '\u{1e00}'..='\u{1eff}',
    ];
    let letters = ranges.into_iter().flatten();
    // Some have been given a meaning since the index's tables were made, some have none yet.
    let letters =
        letters.filter(|letter| letter.is_ascii_punctuation() || letter.is_alphanumeric());
    let text: String = letters.flat_map(|letter| ['x', letter, 'x', ' ']).collect();
    add(&store, "bob", 1, &text).await;
    index_some(&store, 1).await;
    let mut ours: Vec<String> = words::words(&text)
        .into_iter()
        .map(|word| word.folded)
        .collect();
    ours.sort_unstable();
    ours.dedup();
    let theirs = words_in_index(&store).await;
    let differ = |a: &[String], b: &[String]| {
        a.iter()
            .filter(|word| !b.contains(word))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(differ(&ours, &theirs), differ(&theirs, &ours));
    store.close().await;
}

#[tokio::test]
async fn no_query_is_an_error_of_the_index() {
    let (_dir, store) = fresh().await;
    add(&store, "bob", 1, "text NEAR column").await;
    index_some(&store, 1).await;
    for query in [
        "text:a",
        "NEAR(a b, 3)",
        "a OR",
        "AND",
        "NOT",
        "^a",
        "{text conversation}: a",
        "a + b",
        "-a",
        "(a",
        "a)",
        "a'b",
        "a\0b",
        "a;b",
        "\u{e000}1",
        "\"a\"\"b\"",
        "*a",
        "a**",
        "\u{301}a\u{301}",
        "ﬁ ß ẞ İ ǅ 医生 שלום हिन्दी 👩‍⚕️x*",
    ] {
        hits(&store, query).await;
    }
    assert_eq!(hits(&store, "near").await, [1]);
    assert!(hits(&store, "\u{e000}1").await.is_empty());
    store.close().await;
}

#[tokio::test]
async fn a_long_tail_is_read_in_pages() {
    let (_dir, store) = fresh().await;
    add(&store, "bob", 7, "needle").await;
    change(
        &store,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
         INSERT INTO messages (conversation, sender, message_id, outgoing, timestamp_ms, stored_ms, installation_id,
             sequence, retired_key, text)
         SELECT 1, 'bob', randomblob(16), 0, 1, 1, x'00', i, 0, 'hay' FROM n",
    )
    .await;
    let query = Query::parse("needle").unwrap();
    let wanted = Wanted {
        query: &query,
        conversation: None,
        before: None,
        limit: 50,
    };
    let first = find(&store, &wanted).await.unwrap();
    assert!(first.hits.is_empty() && first.next.is_some());
    assert_eq!(hits(&store, "needle").await, [7]);
    store.close().await;
}
