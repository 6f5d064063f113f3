//! The first exchange, told step by step: who encrypted, what the relay saw, how long each step took.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_api::events::EventBody;
use connect_api::messages::{Get, Message, MessageParams, MessageState};
use connect_client::events::EventStream;
use tokio::time::Instant;

use super::house::{COLLEAGUE, House, YOU};

const QUESTION: &str = "Bed 4, potassium 6.1. Could you have a look?";

#[expect(clippy::print_stdout, reason = "telling is what the sandbox is for")]
pub(super) fn say(text: &str) {
    println!("{text}");
}

pub(super) fn step(took: Duration, text: &str) {
    say(&format!("{:>8.1} ms  {text}", took.as_secs_f64() * 1000.0));
}

pub(super) async fn tell(house: &House) -> Result<()> {
    let you = &house.you.client;
    let began = Instant::now();
    let user_id = COLLEAGUE.to_owned();
    you.call::<Add>(UserParams { user_id }).await?;
    step(
        began.elapsed(),
        "Your daemon looked Dr. Noor up in the relay's directory and checked the signature of the keys.",
    );

    // Locked, the colleague's daemon fetches nothing: what is sent has to wait at the relay.
    house.colleague.lock().await?;
    let mut events = you.events(None);
    let since = you.health().await?.events.last_event_id;
    let began = Instant::now();
    let conversation = Conversation::User(COLLEAGUE.to_owned());
    let sent = you.send_text(conversation, QUESTION, None).await?;
    step(
        began.elapsed(),
        &format!(
            "You wrote “{QUESTION}”: boxed for Dr. Noor by your daemon, and durable in its outbox."
        ),
    );
    let mut replay = you.events(Some(since));
    wait_until(&mut replay, |body| {
        matches!(body, EventBody::MessageState { message_id, state: MessageState::Sent, .. } if *message_id == sent.message_id)
    })
    .await?;
    step(began.elapsed(), "The relay has it on its disk and says so.");
    tell_what_the_relay_saw(&house.relay_dir())?;

    let took = house.colleague.unlock().await?;
    step(
        took,
        "Dr. Noor's daemon was locked; now it opened its keys with the PIN.",
    );
    let began = Instant::now();
    let answer = wait_for_answer(house, &mut events).await?;
    step(
        began.elapsed(),
        &format!(
            "It fetched and opened the message, and Dr. Noor's answer came in: “{}”",
            answer.text
        ),
    );
    Ok(())
}

async fn wait_until(events: &mut EventStream, wanted: impl Fn(&EventBody) -> bool) -> Result<()> {
    while let Some(event) = events.next().await {
        if wanted(&event?.body) {
            return Ok(());
        }
    }
    bail!("the events ended")
}

async fn wait_for_answer(house: &House, events: &mut EventStream) -> Result<Message> {
    while let Some(event) = events.next().await {
        if let EventBody::MessageReceived(received) = event?.body {
            let params = MessageParams {
                message_id: received.message_id,
            };
            return Ok(house.you.client.call::<Get>(params).await?);
        }
    }
    bail!("the events ended")
}

/// Looks into the relay's own files, as whoever stole them would.
fn tell_what_the_relay_saw(relay_dir: &Path) -> Result<()> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(relay_dir)? {
        let entry = entry?;
        // Beside its files lies the operators' socket.
        if entry.file_type()?.is_file() {
            bytes.extend(std::fs::read(entry.path())?);
        }
    }
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    let found = |text: &str| if holds(text) { "found" } else { "not found" };
    say(&format!(
        "             The relay's files ({} KiB) were searched: your words {}, who writes to whom {} \
         (it routes by that until it is delivered).",
        bytes.len() / 1024,
        found(QUESTION),
        if holds(YOU) && holds(COLLEAGUE) {
            "found"
        } else {
            "not found"
        },
    ));
    if holds(QUESTION) {
        bail!("the relay can read");
    }
    Ok(())
}
