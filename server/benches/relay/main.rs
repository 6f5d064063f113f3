//! P4, P8, P9 and the draining of a mailbox: the relay as a process of its own, its clients in this one.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench is a crate of its own, and one that cannot go on fails"
)]

mod client;
mod process;
#[path = "../../tests/support/mod.rs"]
mod support;
#[expect(dead_code, reason = "each bench uses its part of it")]
#[path = "../../../tests/benches/support/mod.rs"]
mod table;
mod yardsticks;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use connect_proto::request::Claim;
use connect_proto::{codec, routes, wire};
use connect_relay::clock::Clock;
use connect_relay::operator;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use rustls::ClientConfig;
use support::process::{Running, output};
use support::{User, entries, nonce};
use table::{Samples, heading, row};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};

use client::Client;
use yardsticks::Bare;

const CLIENTS: usize = 64;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(4);
const ALONE: usize = 400;
const IDLE: usize = 1_000;
const BACKLOG: usize = 100_000;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match std::env::var_os(yardsticks::BARE) {
        Some(state_dir) => runtime.block_on(yardsticks::serve_bare(Path::new(&state_dir))),
        None => runtime.block_on(measure()),
    }
}

async fn measure() {
    heading("relay: a process of its own, its clients and the yardsticks on the same machine");
    let relay = Bench::start().await;
    // `cargo bench -p connect-relay --bench relay -- idle` for one alone.
    let asked = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let wanted = |name| asked.as_deref().is_none_or(|asked| asked == name);
    if wanted("alone") {
        relay.alone().await;
    }
    if wanted("together") {
        relay.together().await;
    }
    if wanted("idle") {
        relay.idle_clients().await;
    }
    if wanted("drain") {
        relay.drain().await;
    }
}

/// A relay, and those who have enrolled with it.
struct Bench {
    dir: TempDir,
    relay: Running,
    tls: Arc<ClientConfig>,
    users: Vec<Arc<User>>,
}

impl Bench {
    async fn start() -> Self {
        // Not the temporary directory, which may lie in memory: what is durable must reach a disk.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let dir = tempfile::tempdir_in(target).expect("a directory");
        let made = output(dir.path(), &["init", "--host", "localhost"]);
        assert!(made.status.success());
        let settings = dir.path().join("relay.toml");
        let hosts = std::fs::read_to_string(&settings).expect("settings");
        let unthrottled = "[limits]\nrequests_per_second = 1000000\nrequest_burst = 1000000\n\
                           enrollments_per_minute_in_all = 1000000\n";
        std::fs::write(&settings, hosts + unthrottled).expect("settings");
        let relay = Running::start(dir.path());
        let tls = client::tls(dir.path());
        let mut bench = Self {
            dir,
            relay,
            tls,
            users: Vec::new(),
        };
        row(
            "idle, nobody enrolled",
            bench.resident_mib(),
            12.0,
            "MiB",
            "P4: ≤ 12 MiB",
        );
        bench.enroll(IDLE).await;
        bench
    }

    async fn enroll(&mut self, users: usize) {
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        let mut client = self.client().await;
        for n in 0..users {
            let mut user = User::new(&format!("user-{n}"), 1);
            let clock = Clock::system();
            let code = operator::issue_code(self.dir.path(), &user.id, &clock, &mut rng);
            user.code = code.await.expect("a code");
            let request = client.request(&user, routes::ENROLL, &user.enrollment());
            assert_eq!(client.call(&request).await.0, 200);
            self.users.push(Arc::new(user));
        }
    }

    async fn client(&self) -> Client {
        Client::connect(self.relay.port, &self.tls).await
    }

    fn resident_mib(&self) -> f64 {
        process::resident_kib(self.relay.pid()) / 1024.0
    }

    /// P9, in turn with what it consists of at least.
    async fn alone(&self) {
        let bare = Bare::start(self.dir.path());
        let mut bare_client = Client::connect(bare.port, &self.tls).await;
        let mut client = self.client().await;
        let mut file = File::create(self.dir.path().join("yardstick")).expect("a file");
        let (sender, recipient) = (&self.users[0], &self.users[1]);
        let [mut ours, mut sync, mut exchange, mut sign, mut verify]: [Samples; 5] =
            std::array::from_fn(|_| Samples::default());
        for _ in 0..ALONE {
            let body = envelope(sender, recipient);
            let began = Instant::now();
            let request = client.request(sender, routes::SEND, &body);
            sign.add(began.elapsed());
            assert_eq!(client.call(&request).await.0, 204);
            ours.add(began.elapsed());

            let began = Instant::now();
            verify_once(&request, sender, self.relay.port);
            verify.add(began.elapsed());
            let began = Instant::now();
            yardsticks::sync_once(&mut file);
            sync.add(began.elapsed());
            let began = Instant::now();
            bare_client.call(&request).await;
            exchange.add(began.elapsed());
        }
        let parts = [&sync, &exchange, &sign, &verify].map(|part| part.percentile(50));
        let reach = "P9: ≤ 1.8 × (fdatasync + TLS exchange + sign + verify)";
        row(
            "one client, p50",
            ours.percentile(50),
            parts.iter().sum(),
            "µs",
            reach,
        );
        row(
            "  fdatasync, TLS exchange, p50",
            parts[0],
            parts[1],
            "µs",
            "",
        );
        row("  sign, verify, p50", parts[2], parts[3], "µs", "");
    }

    /// P8: every client its own user, each sending to another one.
    async fn together(&self) {
        let mut sqlite = yardsticks::sqlite(&self.dir.path().join("yardstick.db")).await;
        let [mut ours, mut bare, mut postgres, mut cpu, mut commits]: [Vec<f64>; 5] =
            std::array::from_fn(|_| Vec::new());
        for _ in 0..ROUNDS {
            let pid = self.relay.pid();
            let clients = self.prepared(20_000).await;
            let before = (process::cpu_seconds(pid), process::commits(self.dir.path()));
            let (accepted, seconds) = send_all(clients).await;
            ours.push(accepted / seconds);
            cpu.push((process::cpu_seconds(pid) - before.0) * 1e6 / accepted);
            let made = process::commits(self.dir.path()).wrapping_sub(before.1);
            commits.push(f64::from(made) / accepted);
            bare.push(yardsticks::sqlite_rate(&mut sqlite, ROUND).await);
            postgres.extend(yardsticks::postgres_rate(self.dir.path(), ROUND));
        }
        let rate = median(&ours);
        if postgres.is_empty() {
            row(
                "64 clients, accepts/s",
                rate,
                f64::NAN,
                "/s",
                "P8: no PostgreSQL was named",
            );
        } else {
            row(
                "64 clients, accepts/s",
                rate,
                median(&postgres),
                "/s",
                "P8: ≥ 1.2 × PostgreSQL",
            );
        }
        row(
            "  the same",
            rate,
            median(&bare),
            "/s",
            "bare SQLite, 64 rows a commit",
        );
        row(
            "  the relay's CPU for each",
            median(&cpu),
            50.0,
            "µs",
            "P8, moonshot: 50 µs",
        );
        row("  commits for each", median(&commits), 1.0, "", "");
    }

    /// Clients whose requests are signed already: what is measured is the relay.
    async fn prepared(&self, requests: usize) -> Vec<(Client, Vec<Vec<u8>>)> {
        let mut clients = Vec::with_capacity(CLIENTS);
        for n in 0..CLIENTS {
            let client = self.client().await;
            let (sender, recipient) = (&self.users[n], &self.users[n + CLIENTS]);
            let signed = (0..requests / CLIENTS)
                .map(|_| client.request(sender, routes::SEND, &envelope(sender, recipient)))
                .collect();
            clients.push((client, signed));
        }
        clients
    }

    /// P4: what one client costs that waits for a message.
    async fn idle_clients(&self) {
        let before = process::resident_kib(self.relay.pid());
        let mut clients = Vec::with_capacity(IDLE);
        // Those before them have mail.
        for user in &self.users[2 * CLIENTS..] {
            let mut client = self.client().await;
            let ack = wire::Ack {
                wait_ms: routes::MAX_WAIT_MS,
                ..Default::default()
            };
            let request = client.request(user, routes::RECEIVE, &codec::encode(&ack));
            client.write(&request).await;
            clients.push(client);
        }
        sleep(Duration::from_secs(2)).await;
        let each = (process::resident_kib(self.relay.pid()) - before) / clients.len() as f64;
        row(
            "each idle long-polling client",
            each,
            26.0,
            "KiB",
            "P4: ≤ 26 KB",
        );
    }

    /// A mailbox of 100,000 envelopes in pages of 100, the acknowledgements on the next receive.
    async fn drain(&self) {
        let reader = &self.users[IDLE - 1];
        let mut fill = Vec::with_capacity(CLIENTS);
        for sender in &self.users[..CLIENTS] {
            let client = self.client().await;
            let (sender, reader) = (Arc::clone(sender), Arc::clone(reader));
            fill.push(fill_from(client, sender, reader, BACKLOG / CLIENTS));
        }
        futures_util::future::join_all(fill).await;

        process::forget_peak(self.relay.pid());
        let before = process::resident_kib(self.relay.pid());
        let mut client = self.client().await;
        let mut ack = wire::Ack::default();
        let (began, mut drained) = (Instant::now(), 0.0);
        loop {
            let request = client.request(reader, routes::RECEIVE, &codec::encode(&ack));
            let (status, body) = client.call(&request).await;
            assert_eq!(status, 200);
            let list: wire::EnvelopeList = codec::decode(body).expect("a list");
            if list.envelopes.is_empty() {
                break;
            }
            drained += list.envelopes.iter().len() as f64;
            ack.entries = entries(&list.envelopes);
        }
        let rate = drained / began.elapsed().as_secs_f64();
        let mut sqlite = yardsticks::sqlite(&self.dir.path().join("yardstick.db")).await;
        let bare = yardsticks::sqlite_drain(&mut sqlite).await;
        row(
            "a backlog of 100,000 drained",
            rate,
            bare,
            "/s",
            "bare SQLite, read and delete by 100",
        );
        let peak = process::peak_kib(self.relay.pid());
        row(
            "  resident at its peak, before it",
            peak / 1024.0,
            before / 1024.0,
            "MiB",
            "flat",
        );
    }
}

async fn fill_from(mut client: Client, sender: Arc<User>, reader: Arc<User>, messages: usize) {
    for _ in 0..messages {
        let request = client.request(&sender, routes::SEND, &envelope(&sender, &reader));
        assert_eq!(client.call(&request).await.0, 204);
    }
}

/// How many were accepted, and in how many seconds.
async fn send_all(clients: Vec<(Client, Vec<Vec<u8>>)>) -> (f64, f64) {
    let accepted = clients
        .iter()
        .map(|(_, requests)| requests.len())
        .sum::<usize>();
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (mut client, requests) in clients {
        tasks.spawn(async move {
            for request in requests {
                assert_eq!(client.call(&request).await.0, 204);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("a client that got its answers");
    }
    (accepted as f64, began.elapsed().as_secs_f64())
}

/// A message of 200 bytes, padded and boxed: never the same id twice.
fn envelope(sender: &User, recipient: &User) -> Vec<u8> {
    codec::encode(&wire::Envelope {
        message_id: nonce().to_vec(),
        ..sender.envelope(7, &[recipient.id.as_str()])
    })
}

fn verify_once(request: &[u8], user: &User, port: u16) {
    let head = String::from_utf8_lossy(request);
    let name = format!("{}: ", routes::HEADER_SIGNATURE);
    let value = head
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .expect("a signature");
    let claim = Claim::parse(value, &user.id, Clock::system().now_ms()).expect("a claim");
    let authority = routes::authority("localhost", port);
    claim
        .verify(
            routes::METHOD_POST,
            &authority,
            routes::SEND,
            &user.key.public_key(),
        )
        .expect("verified");
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
