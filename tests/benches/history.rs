//! P12: searching and reading a history of a million messages, against bare FTS5 and a bare SELECT on the same file.
//!
//! `MESSAGES` in the environment makes the history shorter or longer.

#[path = "support/long.rs"]
mod long;
#[expect(dead_code, reason = "here both run in every round")]
mod support;

use std::path::Path;

use connect_core::secret::DatabaseKey;
use connect_store::conversations::ConversationRow;
use connect_store::database::Store;
use connect_store::messages::{self, From};
use connect_store::retention;
use connect_store::search::query::Query;
use connect_store::search::{self, Wanted};
use long::{CONVERSATIONS, Language, WORDS, index, write};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};
use support::{Samples, heading, row};
use tokio::time::Instant;

/// Messages that one search reads behind the index at most.
const TAIL: usize = 5_000;
const ROUNDS: usize = 10;
const PAGE: u32 = 50;
fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let count = std::env::var("MESSAGES").ok();
    let count = count.map_or(1_000_000, |count| count.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("messages.db");
    let key = DatabaseKey::from_bytes(&[7; 32]);
    let store = Store::create(&path, key).await.expect("a database");
    let mut language = Language::new();
    let conversations = write(&store, &mut language, count).await;

    heading(&format!(
        "history: {count} messages, {CONVERSATIONS} conversations, {WORDS} words"
    ));
    let rate = index(&store, count.saturating_sub(TAIL)).await;
    let mut bare = open(&path).await;
    not_indexed_yet(&store, &language, count.min(TAIL)).await;
    index(&store, TAIL).await;
    store.empty_log().await.expect("written back");
    for class in classes(&language, &conversations) {
        compare(&store, &mut bare, &conversations, &class).await;
    }
    latest_page(&store, &mut bare, &conversations).await;
    size(&mut bare, count, rate).await;
    removal(&store).await;
}

/// Queries as people ask them, of several kinds.
fn classes(language: &Language, conversations: &[ConversationRow]) -> Vec<Class> {
    let word = |place: usize| language.words[place].clone();
    let begin = |place: usize, letters: usize| {
        format!(
            "{}*",
            &language.words[place][..letters.min(language.words[place].len())]
        )
    };
    let class = |name, queries: Vec<String>, conversation| Class {
        name,
        queries,
        conversation,
    };
    let common = || (0..10).map(word).collect();
    vec![
        class(
            "a rare word",
            (0..20).map(|n| word(20_000 + n * 1000)).collect(),
            None,
        ),
        class("a common word", common(), None),
        class(
            "two common words",
            (0..10)
                .map(|n| format!("{} {}", word(n), word(n + 5)))
                .collect(),
            None,
        ),
        class(
            "two words of middling use",
            (0..10)
                .map(|n| format!("{} {}", word(300 + n), word(900 + n)))
                .collect(),
            None,
        ),
        class(
            "a beginning of 1 to 3 letters",
            (0..12).map(|n| begin(n * 40, 1 + n % 3)).collect(),
            None,
        ),
        class(
            "a beginning of 4 to 6 letters",
            (0..12).map(|n| begin(400 + n * 700, 4 + n % 3)).collect(),
            None,
        ),
        class(
            "a phrase of common words",
            (0..10)
                .map(|n| format!("\"{} {}\"", word(n), word(n + 5)))
                .collect(),
            None,
        ),
        class(
            "a phrase of middling words",
            (0..10)
                .map(|n| format!("\"{} {}\"", word(60 + n), word(80 + n)))
                .collect(),
            None,
        ),
        class(
            "a common word in a large conversation",
            common(),
            Some(conversations[0]),
        ),
        class(
            "a common word in a small conversation",
            // The yardstick reads through the whole list of a word for each.
            (0..3).map(word).collect(),
            Some(conversations[CONVERSATIONS - 1]),
        ),
        class(
            "a rare word in a large conversation",
            (0..20).map(|n| word(20_000 + n * 1000)).collect(),
            Some(conversations[0]),
        ),
    ]
}

struct Class {
    name: &'static str,
    queries: Vec<String>,
    conversation: Option<ConversationRow>,
}

/// The same file under the same key and settings, without a line of ours.
async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .pragma("key", format!("\"x'{}'\"", "07".repeat(32)))
        .pragma("cache_size", "-1024")
        .disable_statement_logging();
    options.connect().await.expect("opened")
}

async fn ours(store: &Store, query: &str, conversation: Option<ConversationRow>) -> usize {
    let query = Query::parse(query).expect("a query");
    let wanted = Wanted {
        query: &query,
        conversation,
        before: None,
        limit: PAGE,
    };
    search::find(store, &wanted)
        .await
        .expect("searched")
        .hits
        .len()
}

async fn bare_search(bare: &mut SqliteConnection, query: &str, conversation: Option<i64>) -> usize {
    let found = sqlx::query(
        "SELECT m.* FROM search s CROSS JOIN messages m ON m.id = s.rowid
         WHERE s.search MATCH ? AND (?2 IS NULL OR m.conversation = ?2) ORDER BY s.rowid DESC LIMIT ?3",
    )
    .bind(query)
    .bind(conversation)
    .bind(PAGE)
    .fetch_all(bare)
    .await;
    found.expect("searched").len()
}

/// A conversation's row as a number: they were made in order, from 1.
fn number(conversations: &[ConversationRow], wanted: ConversationRow) -> Option<i64> {
    let place = conversations.iter().position(|row| *row == wanted)?;
    i64::try_from(place + 1).ok()
}

async fn compare(
    store: &Store,
    bare: &mut SqliteConnection,
    conversations: &[ConversationRow],
    class: &Class,
) {
    let conversation = class
        .conversation
        .and_then(|wanted| number(conversations, wanted));
    let (mut mine, mut theirs) = (Samples::default(), Samples::default());
    for round in 0..=ROUNDS {
        for query in &class.queries {
            let began = Instant::now();
            let found = ours(store, query, class.conversation).await;
            let took = began.elapsed();
            let began = Instant::now();
            let expected = bare_search(bare, query, conversation).await;
            let bare_took = began.elapsed();
            assert_eq!(found, expected, "{}: {query}", class.name);
            if round > 0 {
                mine.add(took);
                theirs.add(bare_took);
            }
        }
    }
    for percent in [50, 99] {
        row(
            &format!("{}, p{percent}", class.name),
            mine.percentile(percent),
            theirs.percentile(percent),
            "µs",
            "P12: ≤ 1.3 × bare FTS5, ≤ 10 ms",
        );
    }
}

async fn not_indexed_yet(store: &Store, language: &Language, tail: usize) {
    let mut samples = Samples::default();
    for n in 0..20 {
        let began = Instant::now();
        ours(store, &language.words[20_000 + n * 1000], None).await;
        samples.add(began.elapsed());
    }
    row(
        &format!("a rare word, {tail} not indexed yet, p50"),
        samples.percentile(50),
        f64::NAN,
        "µs",
        "",
    );
}

async fn latest_page(
    store: &Store,
    bare: &mut SqliteConnection,
    conversations: &[ConversationRow],
) {
    let (mut mine, mut theirs) = (Samples::default(), Samples::default());
    for round in 0..=ROUNDS {
        for wanted in conversations.iter().step_by(50) {
            let began = Instant::now();
            let page = messages::list(store, *wanted, From::Newest, PAGE)
                .await
                .expect("a page");
            let took = began.elapsed();
            let began = Instant::now();
            let rows = sqlx::query(
                "SELECT * FROM messages WHERE conversation = ?
                 ORDER BY coalesce(place, id) DESC, sequence DESC LIMIT ?",
            )
            .bind(number(conversations, *wanted))
            .bind(PAGE)
            .fetch_all(&mut *bare)
            .await
            .expect("a page");
            let bare_took = began.elapsed();
            assert_eq!(page.len(), rows.len());
            if round > 0 {
                mine.add(took);
                theirs.add(bare_took);
            }
        }
    }
    for percent in [50, 99] {
        row(
            &format!("a conversation's latest page, p{percent}"),
            mine.percentile(percent),
            theirs.percentile(percent),
            "µs",
            "P12: ≤ 1.3 × a bare SELECT",
        );
    }
}

/// What retention does in one transaction.
async fn removal(store: &Store) {
    const AT_ONCE: u32 = 20;
    let mut samples = Samples::default();
    for _ in 0..20 {
        let began = Instant::now();
        let mut tx = store.begin().await.expect("begun");
        let gone = retention::remove_messages(&mut tx, u64::MAX >> 1, AT_ONCE).await;
        tx.commit().await.expect("committed");
        assert_eq!(gone.expect("removed"), u64::from(AT_ONCE));
        samples.add(began.elapsed());
    }
    row(
        "20 old messages removed, p50",
        samples.percentile(50),
        f64::NAN,
        "µs",
        "",
    );
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
async fn size(bare: &mut SqliteConnection, count: usize, rate: f64) {
    let mut bytes_of = async |which: &str| -> i64 {
        let sql = format!("SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name {which}");
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *bare).await;
        row.expect("a sum").get(0)
    };
    let all = bytes_of("IS NOT NULL").await;
    let index = bytes_of("LIKE 'search%'").await;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    println!(
        "bytes a message: {} in all, {} of them the index (P12: 452)",
        all / count,
        index / count
    );
    println!("indexing: {rate:.0} messages a second");
}
