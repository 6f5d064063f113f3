//! Alice enrolls, writes to Bob, is answered, pairs an app, goes home and comes back.

use anyhow::{Context as _, Result};
use connect_api::account::Enroll;
use connect_api::events::EventBody;
use connect_api::examples::sample;
use connect_api::messages::MessageState;
use connect_api::session::Pin;
use connect_tests::raw::Raw;
use connect_tests::world::{Person, World};
use serde_json::json;

use super::run::Run;
use super::{attachments, cases, events, trust};

pub(crate) async fn tell(run: &mut Run) -> Result<()> {
    let mut world = World::new().await?;
    let mut alice = world.stranger("alice").await?;
    alice.trusts(trust::organisation().public_key()).await?;
    let bob = bob(&world).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    enroll(run, &world, &mut raw).await?;
    write_to_bob(run, &mut raw, &alice, &bob).await?;
    read_and_amend(run, &mut raw, &alice, &bob).await?;
    settle(run, &mut raw).await?;
    cases::share(run, &mut raw, &alice).await?;
    follow(run, &alice).await?;
    pair(run, &mut raw, &alice).await?;
    manage_contacts(run, &mut raw).await?;
    meet(run, &mut raw, &alice).await?;
    trust::compare(run, &world, &mut raw).await?;
    look_around(run, &mut raw).await?;
    change(run, &mut raw, &bob).await?;
    attachments::tell(run, &mut world, &mut raw, (&alice, &bob)).await?;
    go_home(run, &mut raw).await?;
    leave(run, &world).await?;
    events::tell(run, &mut world, &alice, &bob).await
}

async fn bob(world: &World) -> Result<Person> {
    let bob = world.stranger("bob").await?;
    let mut enrollment = world.enrollment("bob").await?;
    "Bob Kessler".clone_into(&mut enrollment.display_name);
    "nurse".clone_into(&mut enrollment.profession);
    bob.client.call::<Enroll>(enrollment).await?;
    Ok(bob)
}

async fn enroll(run: &mut Run, world: &World, raw: &mut Raw) -> Result<()> {
    let [pin, spare] = <[String; 2]>::try_from(world.pins())
        .ok()
        .context("two pins")?;
    let code = world.issue_code("alice").await?;
    for (sample, value) in [
        (sample::RELAY_URL, world.relay_url()),
        (sample::RELAY_PIN, pin),
        (sample::SPARE_RELAY_PIN, spare),
        (sample::RELAY_CA, world.ca_pem()?),
        (sample::ENROLLMENT_CODE, code),
        (sample::BOB, "bob".to_owned()),
    ] {
        run.meanings.mean(sample, value);
    }
    for (method, example) in [
        ("backup.begin_restore", "On a new machine"),
        ("account.enroll", "With the operator's code"),
        ("backup.begin_restore", "Where there is an account"),
        (
            "backup.begin_verify",
            "A letter of the recovery key is missing",
        ),
        ("backup.begin_verify", "Would it restore?"),
        ("account.enroll", "The daemon has an account already"),
        ("account.get", "The daemon's own user"),
        ("system.hello", "The daemon's owner"),
        (
            "system.hello",
            "A contract that the daemon does not have yet",
        ),
        ("rpc.discover", "The beginning of the document"),
        ("contacts.get", "A user who is not a contact"),
        ("contacts.add", "A user whom the relay does not know"),
        ("contacts.add", "A colleague"),
        ("contacts.get", "A colleague"),
        ("contacts.list", "All that there are"),
        ("policy.get", "Nothing was settled yet"),
    ] {
        run.goes(raw, method, example).await?;
    }
    Ok(())
}

async fn write_to_bob(run: &mut Run, raw: &mut Raw, alice: &Person, bob: &Person) -> Result<()> {
    for example in [
        "To a user who is not a contact",
        "A text, with a reference of the caller's own",
        "Another text under the same reference",
    ] {
        run.goes(raw, "messages.send", example).await?;
    }
    delivered(run, alice, sample::MESSAGE_ID).await?;
    run.goes(raw, "messages.get", "One's own, which was delivered")
        .await?;
    run.goes(raw, "messages.get", "There is no such message")
        .await?;

    // He has no recovery key.
    let mut of_bob = Raw::connect(bob.endpoint.path()).await?;
    run.goes(&mut of_bob, "backup.begin", "Nobody could open it")
        .await?;

    let answer = bob
        .writes(alice, "Drawn at 9:10, on its way to the lab")
        .await?;
    run.meanings.mean(sample::ANSWER_ID, answer.clone());
    alice.receives(&answer).await?;
    for (method, example) in [
        ("messages.get", "One that came in"),
        (
            "conversations.list",
            "One, with an answer that was not read yet",
        ),
        ("messages.mark_read", "Everything was read"),
        ("messages.send", "An answer to a message"),
    ] {
        run.goes(raw, method, example).await?;
    }
    delivered(run, alice, sample::REPLY_ID).await
}

async fn delivered(run: &Run, alice: &Person, sample: &str) -> Result<()> {
    let id = run.meanings.of(sample)?.as_str().context("an id")?;
    alice.sees_state(id, MessageState::Delivered).await?;
    Ok(())
}

async fn read_and_amend(run: &mut Run, raw: &mut Raw, alice: &Person, bob: &Person) -> Result<()> {
    for (method, example) in [
        ("messages.list", "The newest message"),
        ("messages.list", "What is older than that"),
        ("messages.search", "The beginning of a word, and a phrase"),
        ("messages.edit", "The wrong bed"),
        ("messages.edit", "A message of somebody else's"),
        ("messages.versions", "A message that was edited once"),
        ("messages.delete", "One's own"),
        ("messages.typing", "The policy does not allow it"),
        ("conversations.export", "For the record system"),
        ("conversations.export", "The end comes before the beginning"),
        ("conversations.export", "Nobody was written to"),
    ] {
        run.goes(raw, method, example).await?;
    }
    // The last thing that is on its way.
    let reply = run.meanings.of(sample::REPLY_ID)?.clone();
    bob.sees(
        |body| matches!(body, EventBody::MessageDeleted { message_id, .. } if reply == *message_id),
    )
    .await?;
    while alice.client.health().await?.outbox.queued > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn settle(run: &mut Run, raw: &mut Raw) -> Result<()> {
    for (method, example) in [
        ("policy.set", "A number of days that is not allowed"),
        ("policy.set", "Two things; the third stays"),
        ("messages.typing", "Bob is told"),
    ] {
        run.goes(raw, method, example).await?;
    }
    Ok(())
}

/// From Bob's answer on.
async fn follow(run: &mut Run, alice: &Person) -> Result<()> {
    let answer = run.meanings.of(sample::ANSWER_ID)?.clone();
    let event = alice
        .sees(|body| {
            matches!(body, EventBody::MessageReceived(received) if answer == received.message_id)
        })
        .await?;
    run.meanings.mean(sample::EVENT_ID, event.event_id);
    run.meanings
        .mean(sample::EVENT_ID_BEFORE, event.event_id - 1);
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    for (method, example) in [
        ("events.list", "The next event after one"),
        ("events.list", "After an event that there was not yet"),
        ("events.ack", "The event was dealt with"),
        ("events.subscribe", "After an event that there was not yet"),
        ("events.subscribe", "From an event on"),
        ("events.unsubscribe", "One that is under way"),
        ("events.unsubscribe", "One that has ended"),
    ] {
        run.goes(&mut raw, method, example).await?;
    }
    Ok(())
}

async fn pair(run: &mut Run, raw: &mut Raw, alice: &Person) -> Result<()> {
    for (method, example) in [
        ("apps.create", "An app that may do nothing"),
        ("apps.create", "An app that reads and writes messages"),
        ("apps.list", "One, which may come in"),
        ("apps.revoke", "There is no such app"),
    ] {
        run.goes(raw, method, example).await?;
    }
    let mut app = Raw::connect(alice.endpoint.path()).await?;
    for (method, example) in [
        ("session.authenticate", "A paired app comes in"),
        ("system.hello", "A paired app that has authenticated"),
        ("contacts.add", "By an app without the scope"),
    ] {
        run.goes(&mut app, method, example).await?;
    }
    run.goes(raw, "apps.revoke", "The app is let in no more")
        .await?;
    let mut again = Raw::connect(alice.endpoint.path()).await?;
    run.goes(&mut again, "session.authenticate", "The app was revoked")
        .await
}

async fn look_around(run: &mut Run, raw: &mut Raw) -> Result<()> {
    let log = raw.call("audit.list", json!({"limit": 500})).await?;
    let entries = log["result"]["items"].as_array().context("entries")?;
    let sent = entries
        .iter()
        .find(|entry| entry["method"] == "messages.send" && entry["outcome"] == "ok")
        .context("a message was sent")?;
    let entry = sent["entry"].as_u64().context("a number")?;
    run.meanings.mean(sample::AUDIT_ENTRY_BEFORE, entry - 1);
    for (method, example) in [
        ("audit.list", "One entry: a message was sent"),
        ("audit.verify", "Nothing was changed and nothing is missing"),
        ("system.health", "All is well"),
    ] {
        run.goes(raw, method, example).await?;
    }
    Ok(())
}

async fn manage_contacts(run: &mut Run, raw: &mut Raw) -> Result<()> {
    for (method, example) in [
        ("contacts.search", "The beginning of a name"),
        ("contacts.search", "Nothing to look for"),
        ("contacts.remove", "A user who is not a contact"),
        ("contacts.remove", "A colleague who has left"),
        ("contacts.add", "A colleague"),
        ("contacts.block", "Nothing more of theirs"),
        ("contacts.block", "Welcome again, with what came meanwhile"),
    ] {
        run.goes(raw, method, example).await?;
    }
    Ok(())
}

async fn meet(run: &mut Run, raw: &mut Raw, alice: &Person) -> Result<()> {
    for (method, example) in [
        ("groups.create", "Without a name"),
        ("groups.create", "With a user whom the relay does not know"),
        ("groups.create", "Alice and Bob"),
        ("groups.get", "With its roster"),
        ("groups.get", "There is no such group"),
        ("groups.list", "One"),
        ("groups.update", "Without somebody who is not in it"),
        ("groups.update", "Another name, and another admin"),
        ("groups.leave", "To Bob"),
        ("groups.leave", "It was left before"),
    ] {
        run.goes(raw, method, example).await?;
    }
    while alice.client.health().await?.outbox.queued > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn change(run: &mut Run, raw: &mut Raw, bob: &Person) -> Result<()> {
    for (method, example) in [
        ("account.update_profile", "A name with nothing in it"),
        ("account.update_profile", "Another name"),
        ("account.rotate_keys", "New keys of the same installation"),
    ] {
        run.goes(raw, method, example).await?;
    }
    bob.sees(|body| matches!(body, EventBody::KeyChanged { .. }))
        .await?;
    Ok(())
}

/// Somebody else's, whose account is at its end.
async fn leave(run: &mut Run, world: &World) -> Result<()> {
    let carol = world.stranger("carol").await?;
    let mut enrollment = world.enrollment("carol").await?;
    enrollment.pin = Pin::new(sample::NEW_PIN.to_owned());
    carol.client.call::<Enroll>(enrollment).await?;
    let mut raw = Raw::connect(carol.endpoint.path()).await?;
    for example in [
        "At the relay, and what is here stays sealed",
        "What is left of it",
    ] {
        run.goes(&mut raw, "account.delete", example).await?;
    }
    Ok(())
}

async fn go_home(run: &mut Run, raw: &mut Raw) -> Result<()> {
    for (method, example) in [
        ("session.uncover", "The session is open already"),
        ("session.lock", "The user goes home"),
        (
            "session.uncover",
            "The keys are not in memory: it takes the PIN",
        ),
        ("account.get", "The keys are locked"),
        ("session.unlock", "A wrong PIN"),
        ("session.unlock", "The right PIN"),
        ("session.change_pin", "A PIN that is too short"),
        ("session.change_pin", "A longer PIN"),
        (
            "session.set_recovery_key",
            "Somebody may have seen the one before",
        ),
        ("backup.begin", "As it is every night"),
        ("session.recover", "A letter is missing"),
        ("session.recover", "The PIN is forgotten"),
    ] {
        run.goes(raw, method, example).await?;
    }
    Ok(())
}
