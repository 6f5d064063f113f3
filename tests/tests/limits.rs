//! Every limit of the socket, exceeded: the greedy client is told or cut off, and the polite one notices nothing.

use anyhow::{Context as _, Result};
use connect_proto::routes;
use connect_tests::fake_relay::FakeRelay;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, World, unhurried};
use connectd::limits::Limits;
use serde_json::{Value, json};

const HELLO: &str = r#"{"jsonrpc":"2.0","id":7,"method":"system.hello"}"#;

async fn daemon(world: &World, limits: Limits) -> Result<connect_tests::world::Person> {
    let person = world.stranger_with("alice", limits).await?;
    let enrollment = world.enrollment("alice").await?;
    person
        .client
        .call::<connect_api::account::Enroll>(enrollment)
        .await?;
    Ok(person)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_a_mebibyte_is_taken_and_a_longer_one_closes_the_connection() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let padding = " ".repeat((1 << 20) - HELLO.len());
    let answer = raw.say(&format!("{HELLO}{padding}")).await?;
    assert_eq!(answer["id"], 7);
    let answer = raw.say(&format!("{HELLO}{padding} ")).await?;
    assert_eq!(answer["error"]["code"], -32010);
    assert_eq!(outcome(&answer), "frame_too_large");
    assert_eq!(raw.line().await?, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_an_end_is_refused_and_not_kept() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let chunk = vec![b'a'; 1 << 20];
    let mut written = 0;
    // 200 MB, if the daemon let them come.
    while written < 200 && raw.write(&chunk).await.is_ok() {
        written += 1;
    }
    assert!(written < 200, "the daemon read {written} MiB of one line");
    let mut polite = Raw::connect(alice.endpoint.path()).await?;
    assert_eq!(polite.outcome("system.health", json!({})).await?, "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_long_is_an_error() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        line_out: 1000,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    assert_eq!(raw.outcome("rpc.discover", json!({})).await?, "too_large");
    assert_eq!(raw.outcome("system.health", json!({})).await?, "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_nothing_is_cut_off_and_the_others_are_served() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        stalled_s: 1,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    let mut greedy = Raw::connect(alice.endpoint.path()).await?;
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#;
    let many = format!("{request}\n").repeat(100);
    // The daemon stops reading once sixteen answers wait, and in the end it closes the connection.
    while greedy.write(many.as_bytes()).await.is_ok() {}
    let mut polite = Raw::connect(alice.endpoint.path()).await?;
    assert_eq!(polite.outcome("system.health", json!({})).await?, "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_allowed_are_refused_until_one_ends() -> Result<()> {
    let of_a_user = Limits {
        connections_per_uid: 3,
        ..unhurried()
    };
    let in_all = Limits {
        connections: 3,
        ..unhurried()
    };
    for limits in [of_a_user, in_all] {
        three_at_a_time(limits).await?;
    }
    Ok(())
}

async fn three_at_a_time(limits: Limits) -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger_with("alice", limits).await?;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(alice.endpoint.path()).await?;
        raw.call("system.hello", json!({})).await?;
        open.push(raw);
    }
    let mut refused = Raw::connect(alice.endpoint.path()).await?;
    let told = refused.call("system.hello", json!({})).await;
    assert!(told.is_err(), "a fourth connection was served");
    open.pop();
    // The daemon notices the end in its own time.
    loop {
        let mut raw = Raw::connect(alice.endpoint.path()).await?;
        if raw.call("system.hello", json!({})).await.is_ok() {
            break;
        }
    }
    Ok(())
}

/// One of its calls may be under way at a time, whichever the limit; the relay never says a word.
async fn one_at_a_time(limits: Limits) -> Result<()> {
    let mut world = World::new().await?;
    let limits = Limits {
        call_s: 2,
        ..limits
    };
    let relay = FakeRelay::in_place_of(&mut world).await?;
    relay.keeps_silent_on(routes::LOOKUP);
    let alice = daemon(&world, limits).await?;
    let mut hanging = Raw::connect(alice.endpoint.path()).await?;
    let mut behind = Raw::connect(alice.endpoint.path()).await?;
    let asked = tokio::time::Instant::now();
    hanging
        .ask("contacts.add", json!({"user_id": "bob"}))
        .await?;
    relay.left_somebody_waiting().await;
    behind.ask("system.health", json!({})).await?;
    assert_eq!(outcome(&behind.line().await?.context("an answer")?), "ok");
    // Not before the other one's time was over; a slow machine only makes it later.
    assert!(asked.elapsed().as_secs() >= 2, "it came before its turn");
    assert_eq!(
        outcome(&hanging.line().await?.context("an answer")?),
        "timeout"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_app_and_calls_in_all_wait_for_their_turn() -> Result<()> {
    one_at_a_time(Limits {
        calls_per_app: 1,
        ..unhurried()
    })
    .await?;
    one_at_a_time(Limits {
        calls: 1,
        ..unhurried()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_too_long_is_answered_with_timeout() -> Result<()> {
    let mut world = World::new().await?;
    let alice = daemon(
        &world,
        Limits {
            call_s: 1,
            ..unhurried()
        },
    )
    .await?;
    let address = world.relay_url().replace("https://", "");
    world.stop_relay().await;
    // Takes connections, and never says a word.
    let deaf = tokio::net::TcpListener::bind(address).await?;
    let listening = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = deaf.accept().await {
            held.push(stream);
        }
    });
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let outcome = raw
        .outcome("contacts.add", json!({"user_id": "bob"}))
        .await?;
    assert_eq!(outcome, "timeout");
    assert_eq!(raw.outcome("system.health", json!({})).await?, "ok");
    listening.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_beyond_the_burst_are_told_how_long_to_wait() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        sends_per_second: 1,
        send_burst: 3,
        ..Limits::default()
    };
    let alice = daemon(&world, limits).await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let params = json!({"conversation": {"user": "bob"}, "text": "quick"});
    let begun = tokio::time::Instant::now();
    let mut sent = 0;
    let answer = loop {
        let answer = raw.call("messages.send", params.clone()).await?;
        if outcome(&answer) != "ok" {
            break answer;
        }
        sent += 1;
        // The burst, and one for each second since.
        assert!(sent <= 3 + begun.elapsed().as_secs(), "{sent}");
    };
    assert!(sent >= 3, "{sent}");
    assert_eq!(answer["error"]["code"], -32012);
    let wait = answer["error"]["data"]["retry_after_ms"]
        .as_u64()
        .context("a wait")?;
    assert!((1..=1000).contains(&wait), "{wait}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_subscriptions_have_their_bounds() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        subscriptions_per_connection: 2,
        ..unhurried()
    };
    let alice = daemon(&world, limits).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    for (limit, expected) in [(0, "invalid"), (1, "ok"), (500, "ok"), (501, "invalid")] {
        let outcome = raw.outcome("events.list", json!({"limit": limit})).await?;
        assert_eq!(outcome, expected, "limit {limit}");
    }
    // Asked for in one go: what the first two tell comes in between.
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(raw.ask("events.subscribe", json!({})).await?);
    }
    let mut answers = Vec::new();
    while answers.len() < asked.len() {
        let line = raw.line().await?.context("an answer")?;
        answers.extend(line["id"].is_u64().then_some(line));
    }
    answers.sort_by_key(|answer| answer["id"].as_u64());
    let outcomes: Vec<String> = answers.iter().map(outcome).collect();
    assert_eq!(outcomes.iter().filter(|told| *told == "ok").count(), 2);
    let refused = answers
        .iter()
        .find(|answer| outcome(answer) == "rate_limited");
    let wait = &refused.context("a refusal")?["error"]["data"]["retry_after_ms"];
    assert!(wait.is_u64(), "{wait}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_are_read_than_may_be_in_flight() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        calls_per_connection: 2,
        ..unhurried()
    };
    let alice = daemon(&world, limits).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.ask("session.lock", json!({})).await?;
    // Unlocking twice takes its time; what comes behind waits for its turn, and is answered all the same.
    for _ in 0..2 {
        raw.ask("session.unlock", json!({"pin": PIN})).await?;
    }
    for _ in 0..20 {
        raw.ask("system.health", json!({})).await?;
    }
    let mut ids = Vec::new();
    for _ in 0..23 {
        let answer: Value = raw.line().await?.context("an answer")?;
        assert_eq!(outcome(&answer), "ok");
        ids.push(answer["id"].as_u64().context("an id")?);
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=23).collect::<Vec<_>>());
    Ok(())
}
