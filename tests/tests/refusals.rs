//! What is refused through the socket, and with which of the closed set of errors.

use anyhow::{Context as _, Result};
use connect_api::method::Needs;
use connect_api::openrpc;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, Person, World};
use serde_json::{Value, json};

async fn raw(person: &Person) -> Result<Raw> {
    Raw::connect(person.endpoint.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_counts_down_and_then_has_to_wait() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut raw = raw(&alice).await?;
    raw.call("session.lock", json!({})).await?;
    for left in [8, 7, 6, 5] {
        let answer = raw.call("session.unlock", json!({"pin": "00000"})).await?;
        assert_eq!(answer["error"]["code"], -32006);
        assert_eq!(answer["error"]["data"]["attempts_left"], left);
    }
    let answer = raw.call("session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(
        outcome(&answer),
        "wrong_pin",
        "even the right one has to wait"
    );
    assert_eq!(answer["error"]["data"]["attempts_left"], 5);
    let wait = answer["error"]["data"]["retry_after_ms"]
        .as_u64()
        .context("a wait")?;
    assert!((1..=30_000).contains(&wait), "{wait}");
    Ok(())
}

/// Parameters with which a method gets past its decoding.
fn minimal(method: &str) -> Value {
    let id = "00".repeat(16);
    match method {
        "session.unlock" => json!({"pin": "00000"}),
        "contacts.add" | "contacts.get" => json!({"user_id": "nobody"}),
        "messages.send" => json!({"conversation": {"user": "nobody"}, "text": "a"}),
        "messages.list" => json!({"conversation": {"user": "nobody"}}),
        "messages.get" => json!({"message_id": id}),
        "messages.mark_read" => json!({"conversation": {"user": "nobody"}, "up_to": id}),
        "events.unsubscribe" => json!({"subscription": 1}),
        _ => json!({}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_tells_the_state_that_it_needs() -> Result<()> {
    let world = World::new().await?;
    let fresh = world.stranger("fresh").await?;
    let locked = world.person("locked").await?;
    let open = world.person("open").await?;
    raw(&locked).await?.call("session.lock", json!({})).await?;
    let mut cells = 0;
    for entry in openrpc::methods() {
        for (person, state) in [
            (&fresh, "unenrolled"),
            (&locked, "locked"),
            (&open, "unlocked"),
        ] {
            let told = raw(person)
                .await?
                .outcome(entry.name, minimal(entry.name))
                .await?;
            let expected = match (entry.needs, state) {
                (Needs::Enrolled | Needs::Unlocked, "unenrolled") => Some("not_enrolled"),
                (Needs::Unlocked, "locked") => Some("locked"),
                // No keys are in memory that could be uncovered.
                (_, "locked") if entry.name == "session.uncover" => Some("locked"),
                _ => None,
            };
            let subscription = entry.name == "events.unsubscribe";
            match expected {
                Some(expected) if !subscription => {
                    assert_eq!(told, expected, "{} {state}", entry.name);
                }
                _ => assert!(
                    !["internal", "locked", "not_enrolled"].contains(&told.as_str()),
                    "{} {state}: {told}",
                    entry.name
                ),
            }
            cells += 1;
        }
        if entry.name == "session.lock" {
            open.unlock().await?;
        }
    }
    assert_eq!(cells, 3 * openrpc::methods().len());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_are_refused_by_name() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let mut raw = raw(&alice).await?;
    let to_bob = json!({"user": "bob"});
    let id = "00".repeat(16);
    let longest = "a".repeat(16 << 10);
    for (params, expected) in [
        (json!({"conversation": to_bob, "text": ""}), "invalid"),
        (json!({"conversation": to_bob, "text": longest}), "ok"),
        (
            json!({"conversation": to_bob, "text": format!("{longest}a")}),
            "too_large",
        ),
        (
            json!({"conversation": {"user": "carol"}, "text": "a"}),
            "unknown_contact",
        ),
        (
            json!({"conversation": {"user": "alice"}, "text": "a"}),
            "unknown_contact",
        ),
        (
            json!({"conversation": {"group": id}, "text": "a"}),
            "not_found",
        ),
        (
            json!({"conversation": {"case": id}, "text": "a"}),
            "not_found",
        ),
        (
            json!({"conversation": {"room": "x"}, "text": "a"}),
            "invalid_params",
        ),
        (
            json!({"conversation": to_bob, "text": "a", "reply_to": id}),
            "not_found",
        ),
        (
            json!({"conversation": to_bob, "text": "a", "client_ref": ""}),
            "invalid",
        ),
        (
            json!({"conversation": to_bob, "text": "a", "client_ref": "r"}),
            "ok",
        ),
        (
            json!({"conversation": to_bob, "text": "b", "client_ref": "r"}),
            "client_ref_conflict",
        ),
    ] {
        assert_eq!(
            raw.outcome("messages.send", params.clone()).await?,
            expected,
            "{params:.100}"
        );
    }
    assert_eq!(
        raw.outcome("contacts.add", json!({"user_id": "nobody"}))
            .await?,
        "not_found"
    );
    assert_eq!(
        raw.outcome("contacts.get", json!({"user_id": "nobody"}))
            .await?,
        "not_found"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_in_a_conversation_is_one_of_its_own_messages() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    let carol = world.person("carol").await?;
    alice.adds(&bob).await?;
    alice.adds(&carol).await?;
    alice.writes(&bob, "to bob").await?;
    let foreign = alice.writes(&carol, "to carol").await?;
    let mut raw = raw(&alice).await?;
    let to_bob = json!({"user": "bob"});
    for (method, params) in [
        (
            "messages.mark_read",
            json!({"conversation": to_bob, "up_to": foreign}),
        ),
        (
            "messages.mark_read",
            json!({"conversation": {"user": "dave"}, "up_to": foreign}),
        ),
        (
            "messages.list",
            json!({"conversation": to_bob, "after": foreign}),
        ),
        (
            "messages.list",
            json!({"conversation": to_bob, "before": foreign}),
        ),
        (
            "messages.send",
            json!({"conversation": to_bob, "text": "re", "reply_to": foreign}),
        ),
    ] {
        assert_eq!(raw.outcome(method, params).await?, "not_found", "{method}");
    }
    let params = json!({"conversation": to_bob, "after": foreign, "before": foreign});
    assert_eq!(raw.outcome("messages.list", params).await?, "invalid");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_client_ref_a_hundred_times_at_once_is_one_message() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let sends = (0..100).map(|_| {
        let client = alice.client.clone();
        let to = bob.conversation();
        tokio::spawn(async move { client.send_text(to, "once", Some("ref-1".into())).await })
    });
    let mut ids = std::collections::BTreeSet::new();
    for send in sends.collect::<Vec<_>>() {
        ids.insert(send.await??.message_id);
    }
    assert_eq!(ids.len(), 1);
    let last = alice.writes(&bob, "behind it").await?;
    bob.receives(&last).await?;
    assert_eq!(bob.reads(&alice).await?.len(), 2);
    Ok(())
}
