//! P13: one message into groups of several sizes, until it is durable here and until the relay has taken it for all.

#[expect(dead_code, reason = "other benches use the rest of it")]
mod support;

use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::groups::{Create, CreateParams};
use connect_api::messages::MessageState;
use connect_client::events::EventStream;
use connect_core::secret::DatabaseKey;
use connect_store::codes::EventKind;
use connect_store::database::Store;
use connect_store::events::{self, NewEvent};
use connect_tests::tls;
use connect_tests::world::{Person, World};
use support::{Samples, heading, note, row};
use tokio::time::Instant;

const SIZES: [usize; 3] = [10, 256, 500];
const ROUNDS: usize = 40;
const TEXT: &str = "Bed 4, potassium 6.1. Could you have a look? The last one was 4.2, two days ago, before the new drug.";

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let world = World::new().await.expect("a world");
    let alice = world.person("alice").await.expect("alice");
    let mut names = Vec::new();
    for n in 1..SIZES[2] {
        // Each with an account and keys of its own; none is there while the ward is written to.
        let mut member = world.person(&format!("member{n}")).await.expect("a member");
        member.stop().await;
        names.push(member.name.clone());
    }
    let http = tls::client(&world.ca_pem().expect("a CA")).expect("a client");
    let url = format!("{}/nothing", world.relay_url());
    let key = DatabaseKey::from_bytes(&[7; 32]);
    let store = Store::create(&world.path().join("yardstick.db"), key).await;
    let store = store.expect("a database");
    let mut arrivals = alice.client.events(None);

    heading("groups: one message to all of a group whose members are away");
    let mut taken = Vec::new();
    for size in SIZES {
        let group = group(&alice, &names[..size - 1]).await;
        // The roster is out, and its secrets are in the cache.
        one(&alice, &group, &mut arrivals).await;
        let (mut durable, mut sent) = (Samples::default(), Samples::default());
        let (mut commit, mut exchange) = (Samples::default(), Samples::default());
        for _ in 0..ROUNDS {
            let (here, there) = one(&alice, &group, &mut arrivals).await;
            durable.add(here);
            sent.add(there);
            let began = Instant::now();
            let mut tx = store.begin().await.expect("begun");
            let event = NewEvent::of(EventKind::RelayReachable, 1);
            events::append(&mut tx, &event).await.expect("appended");
            tx.commit().await.expect("committed");
            commit.add(began.elapsed());
            let began = Instant::now();
            let answer = http.get(&url).send().await.expect("answered");
            answer.bytes().await.expect("read");
            exchange.add(began.elapsed());
        }
        let bare = (commit.percentile(50) + exchange.percentile(50)) / 1e3;
        let what = |state| format!("{size} members, until {state}, p50");
        row(
            &what("durable"),
            durable.percentile(50) / 1e3,
            commit.percentile(50) / 1e3,
            "ms",
            "beside: one commit",
        );
        row(
            &what("with the relay"),
            sent.percentile(50) / 1e3,
            bare,
            "ms",
            "beside: a commit and a TLS exchange",
        );
        taken.push(sent.percentile(50));
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let further = (SIZES[2] - SIZES[0]) as f64;
    note(
        "each further member (P13: ≤ 20 µs)",
        (taken[2] - taken[0]) / further,
        "µs",
    );
    store.close().await;
}

async fn group(alice: &Person, members: &[String]) -> Conversation {
    let params = CreateParams {
        name: "Ward 3".to_owned(),
        members: members.to_vec(),
    };
    let created = alice.client.call::<Create>(params).await.expect("a group");
    Conversation::Group(created.group)
}

/// How long until it was durable, and until the relay had it.
async fn one(
    alice: &Person,
    group: &Conversation,
    arrivals: &mut EventStream,
) -> (std::time::Duration, std::time::Duration) {
    let began = Instant::now();
    let sent = alice.client.send_text(group.clone(), TEXT, None);
    let sent = sent.await.expect("sent").message_id;
    let durable = began.elapsed();
    while let Some(event) = arrivals.next().await {
        if let EventBody::MessageState {
            message_id, state, ..
        } = event.expect("an event").body
            && message_id == sent
            && state == MessageState::Sent
        {
            break;
        }
    }
    (durable, began.elapsed())
}
