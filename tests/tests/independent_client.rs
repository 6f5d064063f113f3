//! A second implementation of the wire, in another language and from the specification alone, meets ours.

use anyhow::{Context as _, Result, bail};
use connect_api::account;
use connect_api::contacts::{Add, UserParams};
use connect_api::events::EventBody;
use connect_api::page::Nothing;
use connect_tests::independent::{Independent, status};
use connect_tests::world::{Person, World};
use serde_json::json;

/// The text of the first message that was received, and why those before it were put aside.
async fn first_received(person: &Person) -> Result<(String, Vec<String>)> {
    let mut reasons = Vec::new();
    let mut events = person.events();
    while let Some(event) = events.next().await {
        match event?.body {
            EventBody::MessageQuarantined { reason, .. } => reasons.push(reason),
            EventBody::MessageReceived(received) => {
                let message = person.receives(&received.message_id).await?;
                return Ok((message.text, reasons));
            }
            _ => {}
        }
    }
    bail!("the events ended")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_independent_clients_talk_over_our_relay() -> Result<()> {
    let world = World::new().await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let mut dave = Independent::enrolled(&world, "dave").await?;
    let sent = carol.sends("dave", "Grüße 🩺", json!({}));
    assert_eq!(status(&sent), 204);
    let repeated = carol.sends("dave", "Grüße 🩺", json!({ "again": true }));
    assert_eq!(status(&repeated), 204);
    let received = dave.receives();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0]["text"], "Grüße 🩺");
    assert_eq!(received[0]["from"], "carol");
    assert_eq!(received[0]["sequence"], 1);
    assert_eq!(received[0]["message_id"], sent["message_id"]);
    assert_eq!(dave.finds(), json!({ "messages": [] }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_refuses_every_request_that_is_not_what_was_signed() -> Result<()> {
    let world = World::new().await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    for kind in [
        "expired",
        "ahead_of_time",
        "wrong_path",
        "wrong_method",
        "wrong_authority",
        "wrong_user",
        "wrong_body",
        "short_nonce",
        "swapped_body",
        "unsigned",
        "flipped_signature",
        "other_user_header",
    ] {
        let answer = carol.ask(&json!({ "cmd": "mischief", "kind": kind }));
        assert_eq!(answer, json!({ "statuses": [401] }), "{kind}");
    }
    let replayed = carol.ask(&json!({ "cmd": "mischief", "kind": "replay" }));
    assert_eq!(replayed, json!({ "statuses": [200, 401] }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_publishes_no_key_that_fails_the_gate() -> Result<()> {
    let world = World::new().await?;
    let low_order = "00".repeat(32);
    let not_canonical = format!("ed{}7f", "ff".repeat(30));
    let twist = format!("02{}", "00".repeat(31));
    let code = world.issue_code("carol").await?;
    for key in [low_order, not_canonical, twist, String::new()] {
        let mut mallory = Independent::stranger(&world, "carol");
        let question =
            json!({ "cmd": "enroll", "code": code, "name": "Dr. carol", "box_key": key });
        let refused = mallory.ask(&question);
        assert_eq!(refused, json!({ "error": "relay", "status": 400 }), "{key}");
    }
    // The code was not used up.
    Independent::stranger(&world, "carol").enrolls(&code);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_lets_nobody_send_in_another_name_or_change_what_it_took() -> Result<()> {
    let world = World::new().await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    Independent::enrolled(&world, "dave").await?;
    let foreign = carol.sends("dave", "as dave", json!({ "as": "dave" }));
    assert!((400..500).contains(&status(&foreign)), "{foreign}");
    assert_eq!(status(&carol.sends("dave", "first", json!({}))), 204);
    let changed = carol.sends("dave", "", json!({ "again": true, "outside": "box" }));
    assert_eq!(status(&changed), 409);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_daemon_and_an_independent_client_understand_each_other() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    assert_eq!(
        status(&carol.sends("alice", "Potassium 6.1", json!({}))),
        204
    );
    let (message, _) = first_received(&alice).await?;
    assert_eq!(message, "Potassium 6.1");

    let conversation = connect_api::conversation::Conversation::User("carol".to_owned());
    // The first thing that she is told is that her message arrived.
    for (text, sequence) in [("On my way.", 2), ("Five minutes.", 3)] {
        alice
            .client
            .send_text(conversation.clone(), text, None)
            .await?;
        let received = carol.receives();
        let written = received
            .iter()
            .find(|message| message["text"].is_string())
            .context("a text")?;
        assert_eq!(written["text"], text);
        assert_eq!(written["from"], "alice");
        assert_eq!(written["sequence"], sequence);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_daemon_quarantines_whatever_was_tampered_with_and_goes_on() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let mut expected = Vec::new();
    for (place, field, reason) in [
        ("inside", "version", "unsupported_version"),
        ("inside", "message_id", "binding_mismatch"),
        ("inside", "timestamp_ms", "binding_mismatch"),
        ("inside", "sender_id", "binding_mismatch"),
        ("inside", "sender_box_key", "binding_mismatch"),
        ("inside", "recipient_id", "binding_mismatch"),
        ("inside", "recipient_box_key", "binding_mismatch"),
        ("inside", "group_id", "binding_mismatch"),
        ("inside", "case_id", "binding_mismatch"),
        ("inside", "case_epoch", "binding_mismatch"),
        ("inside", "installation_id", "malformed_inner"),
        ("inside", "sequence", "malformed_inner"),
        ("outside", "message_id", "binding_mismatch"),
        ("outside", "timestamp_ms", "binding_mismatch"),
        ("outside", "group_id", "binding_mismatch"),
        ("outside", "box", "cannot_open"),
        ("outside", "sender_key_id", "unknown_sender_key"),
        ("outside", "recipient_key_id", "unknown_recipient_key"),
    ] {
        let sent = carol.sends("alice", "tampered", json!({ place: field }));
        assert_eq!(status(&sent), 204, "{place} {field}");
        expected.push((place, field, reason));
    }
    assert_eq!(status(&carol.sends("alice", "honest", json!({}))), 204);
    let (text, reasons) = first_received(&alice).await?;
    assert_eq!(text, "honest");
    assert_eq!(reasons.len(), expected.len());
    for ((place, field, reason), told) in expected.iter().zip(&reasons) {
        assert_eq!(told, reason, "{place} {field}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_read_the_same_fingerprints() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let told = carol.ask(&json!({ "cmd": "fingerprint", "user": "alice" }));
    let user_id = "carol".to_owned();
    let contact = alice.client.call::<Add>(UserParams { user_id }).await?;
    let account = alice.client.call::<account::Get>(Nothing {}).await?;
    assert_eq!(contact.fingerprint.as_deref(), told["own"].as_str());
    assert_eq!(account.fingerprint, told["theirs"]);
    let digits = told["digits"].as_str().expect("digits");
    assert_eq!(digits.split(' ').count(), 12, "{digits}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_comes_again_until_it_is_acknowledged() -> Result<()> {
    let world = World::new().await?;
    let (state, before) = (
        world.elsewhere().join("dave.json"),
        world.elsewhere().join("before"),
    );
    let mut dave = Independent::enrolled(&world, "dave").await?;
    std::fs::copy(&state, &before)?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    carol.sends("dave", "once", json!({}));
    assert_eq!(dave.receives()[0]["text"], "once");
    drop(dave);

    // Killed before its state reached the disk: it forgot the message, and the relay did not.
    std::fs::copy(&before, &state)?;
    let mut dave = Independent::stranger(&world, "dave");
    assert_eq!(dave.receives()[0]["text"], "once");
    drop(dave);

    // The ack was kept, and rides on the first receive.
    let mut dave = Independent::stranger(&world, "dave");
    assert_eq!(dave.finds(), json!({ "messages": [] }));
    Ok(())
}
