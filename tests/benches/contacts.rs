//! What a daemon with many contacts does in a round through the directory, and when each of them changes keys.
//!
//! `CONTACTS` in the environment makes the list shorter or longer.

#[expect(dead_code, reason = "other benches use the rest of it")]
mod support;

use std::time::Duration;

use connect_core::fingerprint::Fingerprint;
use connect_proto::bundle;
use connect_proto::ids::UserId;
use connect_proto::wire;
use connect_store::rounds::{self, Round, Stage};
use connect_tests::apart::Apart;
use connect_tests::at_rest;
use connect_tests::fake_relay::{FakeRelay, Reply};
use connect_tests::mallory::{Mallory, update};
use connect_tests::world::World;
use support::{heading, note, row};
use tokio::time::Instant;

const PAGE: usize = 100;
/// As many users as a lookup may ask about.
const LOOKUP: usize = 200;
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Contacts whose keys the yardstick checks.
const CHECKED: usize = 500;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let count = std::env::var("CONTACTS").map_or(10_000, |it| it.parse().expect("a number"));
    runtime.block_on(measure(count));
}

async fn measure(count: usize) {
    heading(&format!("a daemon with {count} contacts"));
    let mut world = World::new().await.expect("a world");
    let relay = FakeRelay::in_place_of(&mut world).await.expect("a relay");
    let mut alice = Apart::new(&world, "alice", Vec::new())
        .await
        .expect("alice");
    let colleagues: Vec<UserId> = (0..count)
        .map(|number| format!("colleague{number}").parse().expect("an id"))
        .collect();
    let entries = colleagues
        .iter()
        .map(|user| Mallory::new(user.clone()).entry(wire::KeyState::KeyActive, 0));
    relay.publishes_all(entries.collect());
    for user in &colleagues {
        alice.adds(user.as_str()).await.expect("a contact");
    }
    round(&mut alice, &relay, count).await;
    change(&mut alice, &relay, &colleagues).await;
    alice.stop().expect("stopped");
}

/// Nothing is new: what it costs to find that out.
async fn round(alice: &mut Apart, relay: &FakeRelay, count: usize) {
    alice.stop().expect("stopped");
    let store = at_rest::database(&alice.state_dir)
        .await
        .expect("its database");
    let mut tx = store.begin().await.expect("begun");
    let due = Round {
        began_ms: 0,
        stage: Stage::CameTo(None),
    };
    rounds::put(&mut tx, &due).await.expect("a round");
    tx.commit().await.expect("committed");
    store.close().await;
    alice.restart_unlocked().await.expect("unlocked");
    let before = relay.lookups_so_far();
    let (cpu_before, began) = (cpu(alice), Instant::now());
    relay.replies(Reply::Page(Vec::new()));
    let expected = count.div_ceil(LOOKUP);
    relay.lookups(before + expected).await;
    let seconds = began.elapsed().as_secs_f64();
    // What the last answer led to.
    tokio::time::sleep(LOOK_EVERY * 20).await;
    let used = cpu(alice) - cpu_before;
    let contacts = float(count);
    note("a round in which nothing is new", seconds, "s");
    note(
        "of it the daemon's CPU for a contact",
        used / contacts * 1e6,
        "µs",
    );
    let asked = relay.lookups_so_far() - before;
    note("questions to the directory", float(asked), "");
    note("resident", resident_mib(alice), "MiB");
}

/// Each has new keys, signed for by the old ones, and the relay tells of each.
async fn change(alice: &mut Apart, relay: &FakeRelay, colleagues: &[UserId]) {
    let entries: Vec<wire::DirectoryEntry> = colleagues
        .iter()
        .map(|user| {
            // Memory that is neither swapped nor dumped is short: no keys are kept longer than for this.
            let colleague = Mallory::new(user.clone());
            colleague.with_new_keys().entry_signed_by(&colleague, 1)
        })
        .map(|entry| entry.expect("an entry"))
        .collect();
    let pages: Vec<Vec<wire::Envelope>> = entries
        .chunks(PAGE)
        .map(|entries| {
            entries
                .iter()
                .map(|entry| update(entry).expect("an update"))
                .collect()
        })
        .collect();
    let bare = bare_us(&entries);
    relay.publishes_all(entries);
    let before = relay.lookups_so_far();
    let acknowledged = relay.acknowledged_so_far();
    let (cpu_before, began) = (cpu(alice), Instant::now());
    for page in pages {
        relay.replies(Reply::Page(page));
    }
    let mut highest = 0.0;
    while relay.acknowledged_so_far() < acknowledged + colleagues.len() {
        tokio::time::sleep(LOOK_EVERY).await;
        highest = f64::max(highest, resident_mib(alice));
    }
    let seconds = began.elapsed().as_secs_f64();
    let used = cpu(alice) - cpu_before;
    let contacts = float(colleagues.len());
    note("every contact's key changes", seconds, "s");
    row(
        "of it the daemon's CPU for a contact",
        used / contacts * 1e6,
        bare,
        "µs",
        "checking two bundles, digits for the new one",
    );
    let asked = relay.lookups_so_far() - before;
    note("questions to the directory", float(asked), "");
    note("resident at its highest", highest, "MiB");
}

/// The cryptography of it alone: a bundle's signatures, its keys and their digits.
fn bare_us(entries: &[wire::DirectoryEntry]) -> f64 {
    let checked = &entries[..CHECKED.min(entries.len())];
    let began = Instant::now();
    for entry in checked {
        let [new, old] = [0, 1].map(|place| entry.keys[place].bundle.as_ref().expect("a bundle"));
        let (new_bundle, old_bundle) = (bundle::open(new), bundle::open(old));
        let (new_bundle, old_bundle) = (new_bundle.expect("good"), old_bundle.expect("good"));
        bundle::check_previous_signature(new, &old_bundle.sign_key).expect("signed for");
        let digits = Fingerprint::of(
            &new_bundle.box_key,
            &new_bundle.sign_key,
            &new_bundle.user_id,
        );
        std::hint::black_box(digits);
    }
    began.elapsed().as_secs_f64() / float(checked.len()) * 1e6
}

/// User and system time of a daemon so far, in seconds.
fn cpu(daemon: &Apart) -> f64 {
    support::cpu_seconds(daemon.id())
}

fn resident_mib(daemon: &Apart) -> f64 {
    support::resident_mib(daemon.id())
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("few"))
}
