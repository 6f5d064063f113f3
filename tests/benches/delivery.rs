//! P5, P10: a message until it is durable here, and until the other daemon tells of it.

#[expect(dead_code, reason = "here both run in every round")]
mod support;

use connect_api::events::EventBody;
use connect_core::secret::DatabaseKey;
use connect_store::codes::EventKind;
use connect_store::database::Store;
use connect_store::events::{self, NewEvent};
use connect_tests::tls;
use connect_tests::world::{Person, World};
use support::{Samples, heading, row};
use tokio::time::Instant;

const ROUNDS: usize = 300;
const TEXT: &str = "Bed 4, potassium 6.1. Could you have a look? The last one was 4.2, two days ago, before the new drug; \
                    the ECG from this morning is in the record, and the family asks for a call after the round, thanks.";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let world = World::new().await.expect("a world");
    let alice = world.person("alice").await.expect("alice");
    let bob = world.person("bob").await.expect("bob");
    alice.adds(&bob).await.expect("a contact");
    let warm = alice.writes(&bob, TEXT).await.expect("sent");
    bob.receives(&warm).await.expect("received");

    let http = tls::client(&world.ca_pem().expect("a CA")).expect("a client");
    let url = format!("{}/nothing", world.relay_url());
    let key = DatabaseKey::from_bytes(&[7; 32]);
    let store = Store::create(&world.path().join("yardstick.db"), key)
        .await
        .expect("a database");

    let mut figures = Figures::default();
    let mut arrivals = bob.client.events(None);
    // The stream is open once it has told of something.
    let first = alice.writes(&bob, TEXT).await.expect("sent");
    wait_for(&mut arrivals, &first).await;
    for _ in 0..ROUNDS {
        one_round(
            &mut figures,
            &alice,
            &bob,
            &mut arrivals,
            &http,
            &url,
            &store,
        )
        .await;
    }
    figures.print();
}

#[derive(Default)]
struct Figures {
    durable: Samples,
    arrived: Samples,
    health: Samples,
    commit: Samples,
    tls: Samples,
}

async fn one_round(
    figures: &mut Figures,
    alice: &Person,
    bob: &Person,
    arrivals: &mut connect_client::events::EventStream,
    http: &reqwest::Client,
    url: &str,
    store: &Store,
) {
    let began = Instant::now();
    let id = alice.writes(bob, TEXT).await.expect("sent");
    figures.durable.add(began.elapsed());
    wait_for(arrivals, &id).await;
    figures.arrived.add(began.elapsed());

    let began = Instant::now();
    alice.client.health().await.expect("health");
    figures.health.add(began.elapsed());

    let began = Instant::now();
    let mut tx = store.begin().await.expect("begun");
    let event = NewEvent::of(EventKind::RelayReachable, 1);
    events::append(&mut tx, &event).await.expect("appended");
    tx.commit().await.expect("committed");
    figures.commit.add(began.elapsed());

    let began = Instant::now();
    let answer = http.get(url).send().await.expect("answered");
    answer.bytes().await.expect("read");
    figures.tls.add(began.elapsed());
}

async fn wait_for(arrivals: &mut connect_client::events::EventStream, id: &str) {
    while let Some(event) = arrivals.next().await {
        if let EventBody::MessageReceived(received) = event.expect("an event").body
            && received.message_id == id
        {
            return;
        }
    }
}

impl Figures {
    fn print(&self) {
        heading("delivery: one message between two daemons over a relay, all on this machine");
        let (commit, tls) = (&self.commit, &self.tls);
        let durable = commit.percentile(50) + self.health.percentile(50);
        row(
            "messages.send until durable, p50",
            self.durable.percentile(50),
            durable,
            "µs",
            "P5: ≤ 1.4 × (SQLCipher FULL commit + round trip)",
        );
        for percent in [50, 99] {
            let yardstick = 2.0 * tls.percentile(percent) + 3.0 * commit.percentile(percent);
            row(
                &format!("messages.send to the other's event, p{percent}"),
                self.arrived.percentile(percent),
                yardstick,
                "µs",
                "P10: p50 ≤ 2 × (two TLS round trips + three commits)",
            );
        }
        row(
            "one commit, one TLS round trip, p50",
            commit.percentile(50),
            tls.percentile(50),
            "µs",
            "",
        );
    }
}
