//! A page that would not fit into a line is cut, and the next one goes on: nothing is too much to be read.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use connect_proto::ids::{InstallationId, MessageId, UserId};
use connect_store::codes::EventKind;
use connect_store::conversations::{self, Conversation};
use connect_store::events::{self, NewEvent};
use connect_store::new::NewMessage;
use connect_store::received;
use connect_tests::raw::Raw;
use connect_tests::world::{Person, World, unhurried};
use connectd::limits::Limits;
use serde_json::{Value, json};

/// The longest there is, and every byte of it takes six in JSON.
const COSTLY: &str = "\u{1}";
const LONGEST: usize = 16 << 10;

async fn with_history(world: &World, limits: Limits, texts: &[String]) -> Result<(Person, Raw)> {
    let mut alice = world.stranger_with("alice", limits).await?;
    let enrollment = world.enrollment("alice").await?;
    alice
        .client
        .call::<connect_api::account::Enroll>(enrollment)
        .await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    alice.stop().await;
    write_history(&alice, texts).await?;
    alice.start().await?;
    alice.unlock().await?;
    let raw = Raw::connect(alice.endpoint.path()).await?;
    Ok((alice, raw))
}

async fn write_history(alice: &Person, texts: &[String]) -> Result<()> {
    let store = alice.database().await?;
    let bob: UserId = "bob".parse()?;
    let mut tx = store.begin().await?;
    let conversation = conversations::ensure(&mut tx, &Conversation::User(bob.clone())).await?;
    for (n, text) in (0_u64..).zip(texts) {
        let mut message_id = [0; 16];
        message_id[..8].copy_from_slice(&n.to_be_bytes());
        let new = NewMessage {
            conversation,
            sender: &bob,
            message_id: MessageId::from_bytes(message_id),
            timestamp_ms: n,
            stored_ms: n,
            installation_id: InstallationId::from_bytes([1; 8]),
            sequence: n,
            retired_key: false,
            text,
            reply_to: None,
        };
        received::add_message(&mut tx, &new).await?;
        events::append(&mut tx, &NewEvent::of(EventKind::RelayReachable, n)).await?;
    }
    tx.commit().await?;
    store.close().await;
    Ok(())
}

/// Every item of a list, page by page, and how many pages there were.
async fn all(raw: &mut Raw, method: &str, mut params: Value) -> Result<(Vec<Value>, usize)> {
    let mut items = Vec::new();
    for pages in 1.. {
        let mut answer = raw.call(method, params.clone()).await?;
        let page = answer["result"]["items"].take();
        let page = page
            .as_array()
            .with_context(|| format!("{method}: {}", answer["error"]))?;
        ensure!(
            !page.is_empty() || answer["result"]["next"].is_null(),
            "an empty page"
        );
        items.extend(page.iter().cloned());
        match answer["result"]["next"].take() {
            Value::Null => return Ok((items, pages)),
            next => params["after"] = next,
        }
    }
    unreachable!("there is always a page more")
}

fn ids(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .filter_map(|item| item["message_id"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_of_the_longest_texts_are_read_page_by_page() -> Result<()> {
    let world = World::new().await?;
    let texts: Vec<String> = (0..500)
        .map(|n| {
            if n % 50 == 0 {
                COSTLY.repeat(LONGEST)
            } else {
                "w".repeat(LONGEST)
            }
        })
        .collect();
    let (_alice, mut raw) = with_history(&world, unhurried(), &texts).await?;
    let with_bob = json!({"user": "bob"});
    let params = json!({"conversation": with_bob, "limit": 500});
    let (items, pages) = all(&mut raw, "messages.list", params).await?;
    assert!((2..=4).contains(&pages), "{pages}");
    let listed = ids(&items);
    assert_eq!(listed.len(), 500);
    assert!(
        listed.is_sorted_by(|newer, older| newer > older),
        "each once, newest first"
    );

    // Upwards from the oldest, the nearest come first.
    let oldest = *listed.last().context("one")?;
    let mut seen = BTreeSet::from([oldest.to_owned()]);
    let mut before = oldest.to_owned();
    loop {
        let params = json!({"conversation": with_bob, "limit": 500, "before": before});
        let page = raw.call("messages.list", params).await?["result"]["items"].take();
        let page = page.as_array().context("items")?;
        let page = ids(page);
        let (Some(newest), Some(nearest)) = (page.first(), page.last()) else {
            break;
        };
        ensure!(*nearest > before.as_str(), "it goes up");
        seen.extend(page.iter().map(|id| (*id).to_owned()));
        before = (*newest).to_owned();
    }
    assert_eq!(seen.len(), 500, "none was passed over");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_is_cut_where_lines_are_short() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        line_out: 8192,
        ..unhurried()
    };
    let texts: Vec<String> = (0..100)
        .map(|n| format!("word number {n} {}", "x".repeat(200)))
        .collect();
    let (_alice, mut raw) = with_history(&world, limits, &texts).await?;
    for (method, params, expected) in [
        (
            "messages.search",
            json!({"query": "wor*", "limit": 500}),
            100,
        ),
        (
            "messages.list",
            json!({"conversation": {"user": "bob"}, "limit": 500}),
            100,
        ),
    ] {
        let (items, pages) = all(&mut raw, method, params).await?;
        assert_eq!(
            ids(&items).into_iter().collect::<BTreeSet<_>>().len(),
            expected,
            "{method}"
        );
        assert_eq!(items.len(), expected, "{method}");
        assert!(pages > 3, "{method}: {pages}");
    }
    for method in ["conversations.list", "contacts.list"] {
        assert_eq!(
            all(&mut raw, method, json!({"limit": 500})).await?.0.len(),
            1,
            "{method}"
        );
    }
    let (events, pages) = all(&mut raw, "events.list", json!({"limit": 500})).await?;
    assert!(pages > 1, "{pages}");
    let ids: Vec<u64> = events
        .iter()
        .filter_map(|event| event["event_id"].as_u64())
        .collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    Ok(())
}
