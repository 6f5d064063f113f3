//! How the socket behaves towards clients that do things their own way.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use connect_tests::raw::Raw;
use connect_tests::world::World;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

const HEALTH: &str = r#"{"jsonrpc":"2.0","id":1,"method":"system.health"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_no_more_still_gets_its_answers() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let mut stream = UnixStream::connect(alice.endpoint.path()).await?;
    stream
        .write_all(format!("{HEALTH}\n{HEALTH}\n").as_bytes())
        .await?;
    stream.shutdown().await?;
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await?;
    assert_eq!(answers.lines().count(), 2, "{answers}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_no_text_leaves_the_connection_usable() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let mut stream = UnixStream::connect(alice.endpoint.path()).await?;
    stream.write_all(b"\xff\xfe\n").await?;
    stream.write_all(format!("{HEALTH}\r\n").as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    let refused: Value = serde_json::from_str(&lines.next_line().await?.context("a line")?)?;
    assert_eq!(refused["error"]["code"], -32700);
    assert_eq!(refused["id"], Value::Null);
    let answered: Value = serde_json::from_str(&lines.next_line().await?.context("a line")?)?;
    assert_eq!(answered["result"]["state"], "unenrolled");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_goes_on_after_a_lock_without_hole_or_double() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let stream = UnixStream::connect(alice.endpoint.path()).await?;
    let (read, mut write) = stream.into_split();
    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"after":0}}"#;
    write.write_all(format!("{subscribe}\n").as_bytes()).await?;
    let mut lines = BufReader::new(read).lines();
    let answer: Value = serde_json::from_str(&lines.next_line().await?.context("a line")?)?;
    assert!(
        answer["result"].is_u64(),
        "the answer comes first: {answer}"
    );
    let lock = r#"{"jsonrpc":"2.0","id":2,"method":"session.lock"}"#;
    write.write_all(format!("{lock}\n").as_bytes()).await?;
    let (mut ids, mut types, mut locked) = (Vec::new(), Vec::new(), false);
    loop {
        let line: Value = serde_json::from_str(&lines.next_line().await?.context("a line")?)?;
        if line["id"] == 2 {
            assert_eq!(line["result"]["state"], "locked");
            alice.unlock().await?;
            locked = true;
            continue;
        }
        let event = &line["params"]["result"];
        ids.push(event["event_id"].as_u64().context("an event")?);
        types.push(event["type"].as_str().context("an event")?.to_owned());
        let is_back = types.last().is_some_and(|last| last == "session_unlocked");
        if locked && is_back && types.iter().any(|seen| seen == "session_locked") {
            break;
        }
    }
    let expected: Vec<u64> = (1..=ids.len() as u64).collect();
    assert_eq!(ids, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_is_too_large_for_a_place_in_the_log() -> Result<()> {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        tell(panic);
    }));
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let mut id = 0;
    for after in [1 << 53, i64::MAX as u64, u64::MAX - 1, u64::MAX] {
        for method in ["events.list", "events.subscribe"] {
            let refused = raw.call(method, json!({"after": after})).await?;
            let data = &refused["error"]["data"];
            assert_eq!(
                (&data["code"], &data["field"]),
                (&json!("invalid"), &json!("after"))
            );
        }
        // Far ahead of the log: nothing comes before the next answer, or in its stead.
        id = raw.ask("system.health", json!({})).await?;
        let answer = raw.line().await?.context("an answer")?;
        assert_eq!(answer["id"], id, "after {after}: {answer}");
    }
    // Nor behind it: what waits for an event this late hears of none.
    alice.adds(&world.person("bob").await?).await?;
    raw.ask("system.health", json!({})).await?;
    let answer = raw.line().await?.context("an answer")?;
    assert_eq!(answer["id"], id + 1, "{answer}");
    // A subscription that panics ends in silence.
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_another_connections_subscription() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut own = Raw::connect(alice.endpoint.path()).await?;
    let mut other = Raw::connect(alice.endpoint.path()).await?;
    let subscription = own.call("events.subscribe", json!({})).await?["result"].clone();
    let params = json!({"subscription": subscription});
    // An event that comes first is none of the answers.
    alice.adds(&world.person("bob").await?).await?;
    let foreign = other.call("events.unsubscribe", params.clone()).await?;
    assert_eq!(foreign["result"], false);
    for ended in [true, false] {
        let answer = own.call("events.unsubscribe", params.clone()).await?;
        assert_eq!(answer["result"], ended);
    }
    Ok(())
}
