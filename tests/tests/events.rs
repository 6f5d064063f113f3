//! Whoever was away misses no event, and is told of those that are no longer kept.

use anyhow::{Context as _, Result};
use connect_service::clock::Clock;
use connect_store::codes::EventKind;
use connect_store::events::{self, NewEvent};
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{Person, World};
use serde_json::{Value, json};

async fn newest(raw: &mut Raw) -> Result<u64> {
    let health = raw.call("system.health", json!({})).await?;
    let id = &health["result"]["events"]["last_event_id"];
    id.as_u64().context("an id")
}

/// What happens while nobody listens.
async fn much_happens(person: &Person, times: u64) -> Result<()> {
    let store = person.database().await?;
    let mut tx = store.begin().await?;
    // Today: what is old goes as soon as the relay has answered.
    let now_ms = Clock::system().now_ms();
    for n in 0..times {
        events::append(
            &mut tx,
            &NewEvent::of(EventKind::RelayReachable, now_ms + n),
        )
        .await?;
    }
    tx.commit().await?;
    store.close().await;
    Ok(())
}

/// As if they had been kept long enough. Tells which is the last of them.
async fn oldest_expire(person: &Person, count: u32) -> Result<u64> {
    let store = person.database().await?;
    let mut tx = store.begin().await?;
    events::expire(&mut tx, u64::MAX >> 1, count).await?;
    tx.commit().await?;
    let first = events::first_id(&store).await?.context("some are left")?;
    store.close().await;
    Ok(first - 1)
}

/// A person whose app has dealt with all that happened, and is away then.
async fn away(world: &World) -> Result<(Person, u64)> {
    let mut alice = world.person("alice").await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let seen = newest(&mut raw).await?;
    let acked = raw.call("events.ack", json!({"event_id": seen})).await?;
    assert_eq!(acked["result"]["event_id"], seen);
    alice.stop().await;
    Ok((alice, seen))
}

async fn back(alice: &mut Person) -> Result<Raw> {
    alice.start().await?;
    alice.unlock().await?;
    Raw::connect(alice.endpoint.path()).await
}

async fn next_event(raw: &mut Raw) -> Result<Value> {
    let mut line = raw.line().await?.context("an event")?;
    assert_eq!(line["method"], "events.event");
    Ok(line["params"]["result"].take())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_was_away_for_20_000_events_misses_none() -> Result<()> {
    let world = World::new().await?;
    let (mut alice, seen) = away(&world).await?;
    much_happens(&alice, 20_000).await?;
    let mut raw = back(&mut alice).await?;
    let last = newest(&mut raw).await?;
    assert!(last >= seen + 20_000);
    let answer = raw.call("events.subscribe", json!({})).await?;
    assert_eq!(outcome(&answer), "ok");
    for expected in seen + 1..=last {
        assert_eq!(next_event(&mut raw).await?["event_id"], expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_older_than_what_is_kept_is_told_so_first() -> Result<()> {
    let world = World::new().await?;
    let (mut alice, seen) = away(&world).await?;
    much_happens(&alice, 50).await?;
    let gone = oldest_expire(&alice, u32::try_from(seen)? + 20).await?;
    let mut raw = back(&mut alice).await?;
    let expired = json!({"type": "events_expired", "event_id": gone, "at_ms": 0, "from": seen + 1, "to": gone});

    // One page after the other; the one that tells it may be nothing else.
    let mut after = seen;
    for expected in [expired.clone(), json!({"event_id": gone + 1})] {
        let params = json!({"after": after, "limit": 1});
        let mut page = raw.call("events.list", params).await?["result"].take();
        let event = page["items"][0].take();
        assert_eq!(event["event_id"], expected["event_id"]);
        if event["type"] == "events_expired" {
            assert_eq!(event, expected);
        }
        after = page["next"].as_u64().context("there is more")?;
    }
    let page = raw
        .call("events.list", json!({"after": seen, "limit": 5}))
        .await?;
    let ids: Vec<_> = page["result"]["items"]
        .as_array()
        .context("items")?
        .iter()
        .collect();
    assert_eq!(
        ids.iter()
            .map(|event| &event["event_id"])
            .collect::<Vec<_>>(),
        (gone..gone + 5).collect::<Vec<_>>()
    );
    // Whoever does not say where it stands is told of nothing that is gone.
    let page = raw.call("events.list", json!({"limit": 1})).await?;
    assert_eq!(page["result"]["items"][0]["event_id"], gone + 1);

    raw.call("events.subscribe", json!({})).await?;
    assert_eq!(next_event(&mut raw).await?, expired);
    assert_eq!(next_event(&mut raw).await?["event_id"], gone + 1);
    Ok(())
}

/// What was on its way when a subscription ended is not told any more.
#[tokio::test(flavor = "multi_thread")]
async fn no_event_of_a_subscription_comes_after_its_end_was_answered() -> Result<()> {
    let world = World::new().await?;
    let (mut alice, seen) = away(&world).await?;
    // More than wait in a connection at once.
    much_happens(&alice, 200).await?;
    let mut raw = back(&mut alice).await?;
    for _ in 0..20 {
        let answer = raw.call("events.subscribe", json!({"after": seen})).await?;
        next_event(&mut raw).await?;
        let params = json!({"subscription": answer["result"]});
        let id = raw.ask("events.unsubscribe", params).await?;
        let ended = loop {
            let line = raw.line().await?.context("an answer")?;
            if line["id"] == id {
                break line;
            }
        };
        assert_eq!(ended["result"], true);
        // The next line that comes is the next answer.
        raw.call("system.health", json!({})).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_never_moves_back_nor_beyond_the_newest() -> Result<()> {
    let world = World::new().await?;
    let (mut alice, seen) = away(&world).await?;
    let mut raw = back(&mut alice).await?;
    for lower in [0, seen - 1] {
        let acked = raw.call("events.ack", json!({"event_id": lower})).await?;
        assert_eq!(acked["result"]["event_id"], seen);
    }
    for (method, field) in [
        ("events.ack", "event_id"),
        ("events.list", "after"),
        ("events.subscribe", "after"),
    ] {
        let mut params = json!({});
        params[field] = json!(1_000_000);
        let answer = raw.call(method, params).await?;
        let data = &answer["error"]["data"];
        assert_eq!(
            (&data["code"], &data["field"]),
            (&json!("invalid"), &json!(field))
        );
        assert_eq!(data["reason"], "out_of_range");
    }
    let newest = newest(&mut raw).await?;
    assert_eq!(
        raw.outcome("events.list", json!({"after": newest})).await?,
        "ok"
    );
    Ok(())
}
