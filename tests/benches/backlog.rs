//! P11, P14: a backlog that a daemon fetches after an absence; what a message costs on a long history and on a short one.
//!
//! `ENVELOPES` and `MESSAGES` in the environment make backlog and history shorter or longer.

#[path = "support/long.rs"]
mod long;
#[expect(dead_code, reason = "other benches use the rest of it")]
mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use connect_api::contacts::{Add, UserParams};
use connect_proto::wire;
use connect_store::database::Store;
use connect_tests::apart::Apart;
use connect_tests::fake_relay::{FakeRelay, Reply};
use connect_tests::mallory::Mallory;
use connect_tests::shim;
use connect_tests::world::World;
use long::{Language, index, write};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use support::{Samples, heading, note, row};
use tokio::time::Instant;

const PAGE: usize = 100;
/// Rows that the yardstick writes in one transaction.
const BATCH: usize = 1000;
/// Messages that are measured on each history.
const MEASURED: u64 = 400;
const LOOK_EVERY: Duration = Duration::from_millis(50);

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        drain(number("ENVELOPES", 100_000)).await;
        grow(number("MESSAGES", 1_000_000)).await;
    });
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |count| count.parse().expect("a number"))
}

/// A daemon as a process, and a relay that has what Mallory wrote.
struct Ward {
    world: World,
    relay: FakeRelay,
    alice: Apart,
    mallory: Mallory,
    sequence: u64,
    syncs: PathBuf,
}

impl Ward {
    async fn new() -> Self {
        let mut world = World::new().await.expect("a world");
        let syncs = world.path().join("syncs");
        std::fs::write(&syncs, [0; 8]).expect("a counter");
        let shim = shim::compile("syncs", world.path()).expect("a shim");
        let relay = FakeRelay::in_place_of(&mut world).await.expect("a relay");
        let environment = vec![("LD_PRELOAD", shim), ("CONNECT_SYNCS", syncs.clone())];
        let alice = Apart::new(&world, "alice", environment)
            .await
            .expect("alice");
        let mallory = Mallory::new("mallory".parse().expect("an id"));
        relay.publishes(mallory.entry(wire::KeyState::KeyActive, 0));
        let user_id = "mallory".to_owned();
        let added = alice.client.call::<Add>(UserParams { user_id });
        added.await.expect("a contact");
        Self {
            world,
            relay,
            alice,
            mallory,
            sequence: 0,
            syncs,
        }
    }

    fn envelope(&mut self, text: &str) -> wire::Envelope {
        self.sequence += 1;
        let to = self.relay.enrolled().expect("keys");
        let mut inner = self.mallory.text(&to, text, self.world.now_ms());
        inner.sequence = self.sequence;
        self.mallory.sealed(&to, &inner)
    }

    fn syncs(&self) -> f64 {
        let bytes = std::fs::read(&self.syncs).expect("the counter");
        let count = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
        float(count)
    }
}

async fn drain(count: usize) {
    heading(&format!("backlog: {count} envelopes, by pages of {PAGE}"));
    let mut ward = Ward::new().await;
    let mut language = Language::new();
    let texts: Vec<String> = (0..count).map(|_| language.text()).collect();
    let pages: Vec<_> = texts
        .chunks(PAGE)
        .map(|texts| texts.iter().map(|text| ward.envelope(text)).collect())
        .map(Reply::Page)
        .collect();
    let (before, syncs) = (resident_mib(&ward.alice), ward.syncs());
    let (cpu, began) = (cpu(&ward.alice), Instant::now());
    for page in pages {
        ward.relay.replies(page);
    }
    let (mut highest, mut halfway) = (before, None);
    while ward.relay.acknowledged_so_far() < count {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = resident_mib(&ward.alice);
        highest = f64::max(highest, now);
        if ward.relay.acknowledged_so_far() >= count / 2 {
            halfway.get_or_insert(now);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let used = self::cpu(&ward.alice) - cpu;
    let messages = float(count as u64);
    let bare = bare_rate(&ward.world.path().join("bare.db"), &texts).await;
    row(
        "drained",
        messages / seconds,
        bare,
        "/s",
        "P11: ≥ 0.7 × SQLCipher with FTS5 in large batches",
    );
    note("the daemon's CPU for each", used / messages * 1e6, "µs");
    note(
        "syncs for each, relay and receipts included",
        (ward.syncs() - syncs) / messages,
        "",
    );
    note("resident before", before, "MiB");
    note("resident halfway", halfway.unwrap_or(f64::NAN), "MiB");
    note("resident at its highest: memory flat", highest, "MiB");
    ward.alice.stop().expect("stopped");
}

/// The same texts into SQLCipher with FTS5, synced at each of its large commits, and nothing else done.
async fn bare_rate(path: &Path, texts: &[String]) -> f64 {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .pragma("key", format!("\"x'{}'\"", "07".repeat(32)))
        .pragma("journal_mode", "WAL")
        .pragma("synchronous", "FULL")
        .disable_statement_logging();
    let mut bare = options.connect().await.expect("opened");
    for statement in [
        "CREATE TABLE messages (id INTEGER PRIMARY KEY, message_id BLOB UNIQUE, text TEXT)",
        "CREATE VIRTUAL TABLE words USING fts5 (text, content = 'messages', content_rowid = 'id')",
        "CREATE TRIGGER indexed AFTER INSERT ON messages BEGIN
             INSERT INTO words (rowid, text) VALUES (new.id, new.text); END",
    ] {
        let statement = sqlx::query(AssertSqlSafe(statement.to_owned()));
        statement.execute(&mut bare).await.expect("a schema");
    }
    let began = Instant::now();
    for batch in texts.chunks(BATCH) {
        sqlx::query(
            "INSERT INTO messages (message_id, text) SELECT randomblob(16), value FROM json_each(?)",
        )
        .bind(serde_json::to_string(batch).expect("a list"))
        .execute(&mut bare)
        .await
        .expect("stored");
    }
    float(texts.len() as u64) / began.elapsed().as_secs_f64()
}

/// What one message costs, in and out, once so many are there.
struct Cost {
    in_cpu_us: f64,
    received: Samples,
    sent: Samples,
    out_cpu_us: f64,
    syncs_in: f64,
    syncs_out: f64,
}

async fn grow(long: usize) {
    heading(&format!(
        "one message on a history of {long}, and on one of 1000"
    ));
    let ours = cost(long).await;
    let yardstick = cost(1000).await;
    for percent in [50, 99] {
        let (long, short) = (
            ours.sent.percentile(percent),
            yardstick.sent.percentile(percent),
        );
        row(
            &format!("sent until durable, p{percent}"),
            long,
            short,
            "µs",
            "P14: p99 ≤ 2 ×",
        );
        let (long, short) = (
            ours.received.percentile(percent),
            yardstick.received.percentile(percent),
        );
        row(
            &format!("received and acknowledged, p{percent}"),
            long,
            short,
            "µs",
            "P14: p99 ≤ 2 ×",
        );
    }
    row(
        "CPU for each that is sent",
        ours.out_cpu_us,
        yardstick.out_cpu_us,
        "µs",
        "P14: ≤ 1.5 ×",
    );
    row(
        "CPU for each that comes in",
        ours.in_cpu_us,
        yardstick.in_cpu_us,
        "µs",
        "P14: ≤ 1.5 ×",
    );
    row(
        "syncs for each that is sent",
        ours.syncs_out,
        yardstick.syncs_out,
        "",
        "",
    );
    row(
        "syncs for each that comes in alone",
        ours.syncs_in,
        yardstick.syncs_in,
        "",
        "",
    );
}

async fn cost(history: usize) -> Cost {
    let mut ward = Ward::new().await;
    let mut language = Language::new();
    ward.alice.stop().expect("stopped");
    fill(&ward, &mut language, history).await;
    ward.alice.restart_unlocked().await.expect("unlocked");
    let client = ward.alice.client.clone();

    let mut sent = Samples::default();
    let (cpu_before, syncs) = (cpu(&ward.alice), ward.syncs());
    for number in 0..MEASURED {
        let began = Instant::now();
        let text = language.text();
        let answer = ward
            .alice
            .sends("mallory", &text, &number.to_string())
            .await;
        answer.expect("answered").expect("sent");
        sent.add(began.elapsed());
    }
    ward.alice
        .is(|health| health.outbox.queued == 0)
        .await
        .expect("healthy");
    let out_cpu_us = (cpu(&ward.alice) - cpu_before) / float(MEASURED) * 1e6;
    let syncs_out = (ward.syncs() - syncs) / float(MEASURED);

    let mut received = Samples::default();
    let acknowledged = ward.relay.acknowledged_so_far();
    let (cpu_before, syncs) = (cpu(&ward.alice), ward.syncs());
    for number in 1..=MEASURED {
        let envelope = ward.envelope(&language.text());
        let began = Instant::now();
        ward.relay.replies(Reply::Page(vec![envelope]));
        let wanted = acknowledged + usize::try_from(number).expect("few");
        ward.relay.acknowledged(wanted).await;
        received.add(began.elapsed());
    }
    drop(client);
    let in_cpu_us = (cpu(&ward.alice) - cpu_before) / float(MEASURED) * 1e6;
    let syncs_in = (ward.syncs() - syncs) / float(MEASURED);
    ward.alice.stop().expect("stopped");
    Cost {
        in_cpu_us,
        received,
        sent,
        out_cpu_us,
        syncs_in,
        syncs_out,
    }
}

/// A history as it would have come in, in the daemon's own file.
async fn fill(ward: &Ward, language: &mut Language, count: usize) {
    let store = connect_tests::at_rest::database(&ward.alice.state_dir).await;
    let store: Store = store.expect("the database");
    write(&store, language, count).await;
    index(&store, count).await;
    store.close().await;
}

fn cpu(daemon: &Apart) -> f64 {
    support::cpu_seconds(daemon.id())
}

fn resident_mib(daemon: &Apart) -> f64 {
    support::resident_mib(daemon.id())
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("few"))
}
