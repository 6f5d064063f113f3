//! A relay that lies, repeats itself or talks nonsense, and what a daemon makes of it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use connect_api::events::EventBody;
use connect_api::messages::{Get, MessageParams};
use connect_core::refusal::Refusal;
use connect_proto::{codec, wire};
use connect_tests::bad_cases::Cases;
use connect_tests::fake_relay::Reply;
use connect_tests::mischief::{Story, said};
use connect_tests::raw::Raw;
use connect_tests::world::Person;
use serde_json::json;

const DAY_MS: u64 = 24 * 3600 * 1000;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_an_envelope_it_is_put_aside_by_name_and_blocks_nothing()
-> Result<()> {
    let story = Story::new().await?;
    let of_cases = Cases::new(&story)?;
    let before = of_cases.begin(&story);
    let begun = before.len();
    story.relay.replies(Reply::Page(before));
    story
        .alice
        .sees(|body| matches!(body, EventBody::CaseChanged { case, revision: 2, .. } if case.starts_with("02")))
        .await?;
    story.world.advance(DAY_MS);
    let mut cases = of_cases.bad(&story);
    cases.extend(story.bad_outside());
    cases.extend(story.bad_inside());
    cases.extend(story.bad_keys()?);
    cases.extend(story.bad_groups());
    cases.push(("binding_mismatch", story.reflected().await?));
    cases.push(("rejected_key", story.rejected().await?));
    let (reasons, refused): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let mut page = story.groups();
    page.extend(refused);
    page.push(story.honest("honest"));
    let count = begun + page.len();
    story.relay.replies(Reply::Page(page));

    let mut told = Vec::new();
    let mut honest = Vec::new();
    let mut events = story.alice.events();
    while told.len() < reasons.len() || honest.is_empty() {
        match events.next().await.context("an event")??.body {
            EventBody::MessageQuarantined { reason, .. } => told.push(reason),
            EventBody::MessageReceived(received) => honest.push(received.message_id),
            _ => {}
        }
    }
    assert_eq!(honest.len(), 1);
    assert_eq!(story.alice.receives(&honest[0]).await?.text, "honest");
    assert_eq!(told, reasons);
    let every = Refusal::ALL.iter().map(|refusal| refusal.name().to_owned());
    let met: BTreeSet<String> = told.into_iter().collect();
    assert_eq!(met, every.collect(), "a reason without a case");
    let numbers = story.relay.acknowledged(count).await;
    assert_eq!(numbers, (1..=count as u64).collect::<Vec<_>>());
    nothing_but_the_honest_one_is_shown(&story.alice, reasons.len()).await
}

async fn nothing_but_the_honest_one_is_shown(alice: &Person, refused: usize) -> Result<()> {
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let health = raw.call("system.health", json!({})).await?;
    assert_eq!(health["result"]["inbox"]["quarantined"], refused);
    let listed = raw.call("conversations.list", json!({})).await?;
    let items = listed["result"]["items"].as_array().context("items")?;
    assert_eq!(items.len(), 1);
    let params = json!({"conversation": items[0]["conversation"]});
    let listed = raw.call("messages.list", params).await?;
    let items = listed["result"]["items"].as_array().context("items")?;
    let texts: Vec<_> = items.iter().map(|item| item["text"].as_str()).collect();
    assert_eq!(texts, [Some("honest"), Some("to mallory")]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_is_one_message_and_other_content_under_its_id_a_conflict() -> Result<()> {
    let story = Story::new().await?;
    let first = story.text("first");
    let mut other = first.clone();
    other.payload = Some(said("other", None));
    let mut last = story.text("last");
    last.sequence = 3;
    let (first, other) = (
        story.mallory.sealed(&story.to, &first),
        story.mallory.sealed(&story.to, &other),
    );
    // Twice in one page, boxed anew in another, and out of order: the order is told, and nothing waits for it.
    story.relay.replies(Reply::Page(vec![
        story.mallory.sealed(&story.to, &last),
        first.clone(),
        first.clone(),
    ]));
    story.relay.replies(Reply::Page(vec![first.clone(), other]));
    story
        .relay
        .replies(Reply::Page(vec![story.honest("the end")]));
    let (mut texts, mut conflicts) = (Vec::new(), Vec::new());
    let mut events = story.alice.events();
    while texts.last().is_none_or(|text| text != "the end") {
        match events.next().await.context("an event")??.body {
            EventBody::MessageReceived(received) => {
                let message_id = received.message_id;
                let params = MessageParams { message_id };
                texts.push(story.alice.client.call::<Get>(params).await?.text);
            }
            EventBody::MessageConflict { sender, message_id } => {
                conflicts.push((sender, message_id));
            }
            EventBody::MessageQuarantined { reason, .. } => bail!("{reason}"),
            _ => {}
        }
    }
    assert_eq!(texts, ["last", "first", "the end"]);
    let message_id = hex::encode(&first.message_id);
    assert_eq!(conflicts, [("mallory".to_owned(), message_id.clone())]);
    let params = MessageParams { message_id };
    assert_eq!(story.alice.client.call::<Get>(params).await?.text, "first");
    assert_eq!(story.relay.acknowledged(6).await, [1, 2, 3, 4, 5, 6]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_make_no_sense_are_survived_and_lead_nowhere() -> Result<()> {
    let story = Story::new().await?;
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let location = format!("location: https://{}/\r\n", elsewhere.local_addr()?);
    let too_many = wire::EnvelopeList {
        envelopes: vec![story.honest("too many"); 101],
        more: true,
    };
    for nonsense in [
        Reply::status(200, "", &[0xff; 100]),
        Reply::status(200, "", &vec![0; 10 << 20]),
        Reply::status(200, "", &codec::encode(&too_many)),
        Reply::Endless,
        Reply::Raw(b"SSH-2.0-OpenSSH\r\n".to_vec()),
        Reply::status(500, "", b"oops"),
        Reply::status(418, "", b""),
        Reply::status(307, &location, b""),
        Reply::status(401, "date: yesterday\r\n", b""),
        Reply::status(429, "retry-after: never\r\n", b""),
    ] {
        story.relay.replies(nonsense);
        // A good answer in between: the pauses stay short.
        story
            .relay
            .replies(Reply::Page(vec![story.honest("in between")]));
    }
    story
        .relay
        .replies(Reply::Page(vec![story.honest("at last")]));
    let mut events = story.alice.events();
    loop {
        let EventBody::MessageReceived(received) = events.next().await.context("an event")??.body
        else {
            continue;
        };
        if story.alice.receives(&received.message_id).await?.text == "at last" {
            break;
        }
    }
    let visited = tokio::select! {
        biased;
        _ = elsewhere.accept() => true,
        () = std::future::ready(()) => false,
    };
    assert!(!visited, "a redirect was followed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_does_not_answer_keeps_only_its_strangers_waiting() -> Result<()> {
    let story = Story::new().await?;
    let carol = connect_tests::mallory::Mallory::new("carol".parse()?);
    story
        .relay
        .replies(Reply::Page(vec![story.honest("known")]));
    let known = |body: &EventBody| matches!(body, EventBody::MessageReceived(_));
    story.alice.sees(known).await?;
    story.relay.fails_lookups(1);
    story
        .relay
        .publishes(carol.entry(wire::KeyState::KeyActive, 0));
    let stranger = carol.text(&story.to, "from a stranger", story.world.now_ms());
    let stranger_id = hex::encode(&stranger.message_id);
    let waiting = carol.sealed(&story.to, &stranger);
    let mut honest = story.text("not held up");
    honest.sequence = 2;
    let page = vec![waiting.clone(), story.mallory.sealed(&story.to, &honest)];
    story.relay.replies(Reply::Page(page));
    // It was not acknowledged: a relay delivers it again.
    story.relay.replies(Reply::Page(vec![waiting]));
    story
        .alice
        .receives(&hex::encode(&honest.message_id))
        .await?;
    let received = story.alice.receives(&stranger_id).await?;
    assert_eq!(received.text, "from a stranger");
    assert_eq!(story.relay.acknowledged(3).await, [1, 3, 4]);
    let health = story.alice.client.health().await?;
    assert_eq!(health.inbox.quarantined, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_that_is_none_takes_no_other_with_it() -> Result<()> {
    let story = Story::new().await?;
    let mut good = story.honest("good");
    good.queue_seq = 2;
    let mut list = Vec::new();
    // An envelope whose box is said to be longer than it is, around what acknowledges it.
    let stub = wire::Envelope {
        message_id: vec![1; 16],
        queue_seq: 1,
        ..Default::default()
    };
    let torn = [codec::encode(&stub), vec![0x2a, 2, 0x0a, 9]].concat();
    for envelope in [torn, codec::encode(&good)] {
        list.push(0x0a);
        let mut length = envelope.len();
        while length > 0x7f {
            list.push(u8::try_from(length & 0x7f)? | 0x80);
            length >>= 7;
        }
        list.push(u8::try_from(length)?);
        list.extend(envelope);
    }
    story.relay.replies(Reply::status(200, "", &list));
    story
        .alice
        .sees(|body| matches!(body, EventBody::MessageQuarantined { reason, .. } if reason == "malformed_envelope"))
        .await?;
    story.alice.receives(&hex::encode(&good.message_id)).await?;
    let mut acknowledged = story.relay.acknowledged(2).await;
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, [1, 2]);
    Ok(())
}

/// A relay that says "nothing" at once, again and again, is asked ever less often.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_has_nothing_to_say_and_takes_no_time_is_not_asked_without_end() -> Result<()>
{
    let story = Story::new().await?;
    for _ in 0..7 {
        story.relay.replies(Reply::Page(Vec::new()));
    }
    story
        .relay
        .replies(Reply::Page(vec![story.honest("at last")]));
    let begun = tokio::time::Instant::now();
    story
        .alice
        .sees(|body| matches!(body, EventBody::MessageReceived(_)))
        .await?;
    // 0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s at least; with one more or less, by how the first long poll fell.
    assert!(begun.elapsed() >= std::time::Duration::from_millis(1500));
    Ok(())
}
