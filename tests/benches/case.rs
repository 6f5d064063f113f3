//! Whoever is added to a patient case late: how long until the whole history is there, and until it is seen.
//!
//! `ENTRIES` in the environment makes the case longer or shorter.

#[expect(dead_code, reason = "other benches use the rest of it")]
mod support;

use connect_api::cases::{CaseParams, Get};
use connect_api::conversation::Conversation;
use connect_api::messages::{List, ListParams};
use connect_tests::apart::POLL;
use connect_tests::world::{Person, World};
use support::{Samples, heading, note, row};
use tokio::time::Instant;

const SHORT: usize = 100;
const VIEWS: usize = 40;
const PAGE: u32 = 50;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let entries = std::env::var("ENTRIES").map_or(10_000, |count| count.parse().expect("a number"));
    runtime.block_on(measure(entries));
}

async fn measure(entries: usize) {
    let world = World::new().await.expect("a world");
    let alice = world.person("alice").await.expect("alice");
    let bob = world.person("bob").await.expect("bob");
    let carol = world.person("carol").await.expect("carol");
    for other in [&bob, &carol] {
        alice.adds(other).await.expect("a contact");
    }
    heading(&format!(
        "cases: a late joiner of {entries} entries, beside one of {SHORT}"
    ));
    let short = written(&alice, SHORT).await;
    let long = written(&alice, entries).await;
    let to_short = joined(&alice, &carol, &short).await;
    let to_long = joined(&alice, &carol, &long).await;
    note(&format!("added until all {SHORT} are there"), to_short, "s");
    note(
        &format!("added until all {entries} are there"),
        to_long,
        "s",
    );
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    note("for each entry", to_long * 1e6 / entries as f64, "µs");
    let (mut ours, mut beside) = (Samples::default(), Samples::default());
    for _ in 0..VIEWS {
        ours.add(view(&carol, &long).await);
        beside.add(view(&carol, &short).await);
    }
    for percent in [50, 99] {
        let what = format!("the case and its newest {PAGE} entries, p{percent}");
        row(
            &what,
            ours.percentile(percent) / 1e3,
            beside.percentile(percent) / 1e3,
            "ms",
            "P14: p99 ≤ 2 ×",
        );
    }
}

async fn written(alice: &Person, entries: usize) -> String {
    let case = alice.begins_case("Bed 4", &[], &[("allergies", "none known")]);
    let case = case.await.expect("a case").case;
    for n in 0..entries {
        let text = format!("entry {n}: potassium 6.1, could you have a look?");
        alice.says(&case, &text).await.expect("said");
    }
    case
}

/// In seconds, until the history is there whole.
async fn joined(alice: &Person, carol: &Person, case: &str) -> f64 {
    let began = Instant::now();
    alice.adds_to_case(case, carol).await.expect("added");
    // Nothing of it is here before its keys, and all of it once nothing is awaited.
    while newest(carol, case).await == 0 {
        tokio::time::sleep(POLL).await;
    }
    carol
        .sees_case_with(case, |case| !case.awaits_history)
        .await
        .expect("joined");
    began.elapsed().as_secs_f64()
}

/// How many entries a page of it has.
async fn newest(carol: &Person, case: &str) -> usize {
    let params = ListParams {
        conversation: Conversation::Case(case.to_owned()),
        before: None,
        after: None,
        limit: Some(PAGE),
    };
    match carol.client.call::<List>(params).await {
        Ok(page) => page.items.len(),
        Err(_) => 0,
    }
}

async fn view(carol: &Person, case: &str) -> std::time::Duration {
    let began = Instant::now();
    let params = CaseParams {
        case: case.to_owned(),
    };
    carol.client.call::<Get>(params).await.expect("the case");
    assert_eq!(newest(carol, case).await, PAGE as usize);
    began.elapsed()
}
