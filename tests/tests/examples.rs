//! Every example of the contract, made against real daemons: what is sent is the example's, and the answer is as it says.
//!
//! One story after the other: each example finds the state that it speaks of.

mod attachments;
mod bad_relay;
mod cases;
mod events;
mod run;
mod story;
mod trust;

use std::collections::BTreeSet;

use anyhow::Result;
use connect_api::openrpc;
use run::Run;
use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// No daemon of this version enters it: it waits for the relay to tell of a revocation (D27).
const NOT_YET: &str = "The account was enrolled elsewhere";

fn named(of: &Value) -> BTreeSet<(String, String)> {
    let mut named = BTreeSet::new();
    for entry in of.as_array().into_iter().flatten() {
        for example in entry["examples"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let is_new = named.insert((text(&entry["name"]), text(&example["name"])));
            assert!(is_new, "two examples have one name: {}", example["name"]);
        }
    }
    named
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_goes_as_it_says() -> Result<()> {
    let mut run = Run::new(openrpc::document(VERSION));
    story::tell(&mut run).await?;
    bad_relay::tell(&mut run).await?;

    let mut expected = named(&run.document["methods"]);
    let events = named(&run.document["x-notifications"]);
    expected.extend(events.into_iter().filter(|(_, name)| name != NOT_YET));
    assert_eq!(run.went, expected);
    Ok(())
}

#[test]
fn every_method_and_every_type_of_event_has_an_example() {
    let document = openrpc::document(VERSION);
    let with_examples: BTreeSet<String> = named(&document["methods"])
        .into_iter()
        .map(|(method, _)| method)
        .collect();
    let entries = openrpc::methods();
    let methods = entries.iter().map(|entry| entry.name.to_owned()).collect();
    assert_eq!(with_examples, methods);
    let events = &document["x-notifications"][0];
    let examples = events["examples"].as_array().expect("examples");
    let shown = examples.iter().map(|example| {
        let params = run::object(&example["params"]);
        params["result"]["type"]
            .as_str()
            .expect("a type")
            .to_owned()
    });
    let types = events["x-scopes"].as_object().expect("types").keys();
    assert_eq!(
        shown.collect::<BTreeSet<_>>(),
        types.cloned().collect::<BTreeSet<_>>()
    );
}
