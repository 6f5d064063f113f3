//! What is refused through the socket, and with which of the closed set of errors.

use anyhow::{Context as _, Result};
use connect_api::account::{Enroll, EnrollParams};
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::method::Needs;
use connect_api::openrpc;
use connect_api::session::Pin;
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, Person, World, refusal};
use serde_json::{Value, json};

async fn raw(person: &Person) -> Result<Raw> {
    Raw::connect(person.endpoint.path()).await
}

async fn enroll_with(
    world: &World,
    person: &Person,
    change: impl FnOnce(&mut EnrollParams),
) -> Result<ErrorCode> {
    let mut params = world.enrollment(&person.name).await?;
    change(&mut params);
    refusal(person.client.call::<Enroll>(params).await)
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

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_with_another_tls_key_or_authority_is_refused_and_nothing_is_left() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let other = World::new().await?;
    let pins = other.pins();
    let code = enroll_with(&world, &alice, |params| params.relay_pins = pins).await?;
    assert_eq!(code, ErrorCode::PinMismatch);
    let ca = other.ca_pem()?;
    let code = enroll_with(&world, &alice, |params| params.relay_ca_pem = Some(ca)).await?;
    assert_eq!(code, ErrorCode::RelayUnreachable);
    let mut raw = raw(&alice).await?;
    let hello = raw.call("system.hello", json!({})).await?;
    assert_eq!(hello["result"]["state"], "unenrolled");
    alice
        .client
        .call::<Enroll>(world.enrollment("alice").await?)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_for_its_user_and_for_a_day() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.stranger("bob").await?;
    let params = world.enrollment("bob").await?;
    world.advance(24 * 3_600_000 + 1);
    let expired = refusal(bob.client.call::<Enroll>(params).await)?;
    assert_eq!(expired, ErrorCode::Invalid);
    for wrong in ["bob/00000-00000-00000-00000-00000-0", "bob", "nobody/x", ""] {
        let code = enroll_with(&world, &bob, |params| {
            wrong.clone_into(&mut params.enrollment_code.0);
        })
        .await?;
        assert_eq!(code, ErrorCode::Invalid, "{wrong:?}");
    }
    let again = refusal(
        alice
            .client
            .call::<Enroll>(world.enrollment("alice").await?)
            .await,
    )?;
    assert_eq!(again, ErrorCode::Invalid, "enrolled already");
    bob.client
        .call::<Enroll>(world.enrollment("bob").await?)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_installation_replaces_the_first_only_where_that_is_said() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let first = alice.writes(&bob, "to the old one").await?;
    bob.receives(&first).await?;
    let mut again = world.stranger("bob-again").await?;
    "bob".clone_into(&mut again.name);
    let code = enroll_with(&world, &again, |_| {}).await?;
    assert_eq!(code, ErrorCode::Invalid);
    let mut params = world.enrollment("bob").await?;
    params.replace_existing_installation = true;
    again.client.call::<Enroll>(params).await?;
    alice
        .sees(|body| matches!(body, EventBody::KeyChanged { user_id } if user_id == "bob"))
        .await?;
    let second = alice.writes(&again, "to the new one").await?;
    assert_eq!(again.receives(&second).await?.text, "to the new one");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_enrollments_name_the_field() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let good = serde_json::to_value(world.enrollment("alice").await?)?;
    let mut raw = raw(&alice).await?;
    let long = "a".repeat(257);
    for (field, value, reason) in [
        ("relay_url", json!("http://relay"), "not_supported"),
        ("relay_url", json!("https://relay/path"), "malformed"),
        ("relay_pins", json!([]), "too_short"),
        ("relay_pins", json!(["sha1/x", "y"]), "malformed"),
        ("relay_ca_pem", json!("no pem"), "malformed"),
        ("display_name", json!(" "), "empty"),
        ("display_name", json!(long), "too_long"),
        ("profession", json!("a\u{1b}[31m"), "malformed"),
        ("pin", json!("1234"), "too_short"),
        ("user_id", json!("no spaces"), "malformed"),
    ] {
        let mut params = good.clone();
        params[field] = value;
        let answer = raw.call("account.enroll", params).await?;
        assert_eq!(outcome(&answer), "invalid", "{field}");
        assert_eq!(answer["error"]["data"]["field"], field);
        assert_eq!(answer["error"]["data"]["reason"], reason, "{field}");
    }
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
async fn requests_that_are_none_are_refused_and_harm_nothing() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut raw = raw(&alice).await?;
    for (line, code) in [
        ("", -32700),
        ("{", -32700),
        ("[]", -32600),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"system.hello"}]"#,
            -32600,
        ),
        (r#"{"jsonrpc":"2.0","method":"system.hello"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"no.such"}"#, -32601),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"system.hello","params":[]}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"system.hello","params":{"who":1}}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"messages.get"}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"messages.get","params":{"message_id":7}}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"messages.get","params":{"message_id":"zz"}}"#,
            -32014,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"system.hello","params":{"api_version":99}}"#,
            -32014,
        ),
    ] {
        let answer = raw.say(line).await?;
        assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
        assert!(answer["error"]["data"]["ref"].is_string());
    }
    assert_eq!(raw.outcome("system.health", json!({})).await?, "ok");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_told_in_no_error() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let secret = "canary-pin-0123456789";
    let mut params = serde_json::to_value(world.enrollment("alice").await?)?;
    params["pin"] = json!(secret);
    params["relay_pins"] = json!(secret);
    let answer = raw(&alice).await?.call("account.enroll", params).await?;
    assert_eq!(outcome(&answer), "invalid_params");
    assert!(!answer.to_string().contains(secret));
    assert_eq!(format!("{:?}", Pin::new(secret.to_owned())), "Pin(..)");
    Ok(())
}
