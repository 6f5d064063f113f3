//! A recipient who reinstalled: what waited for the old key is asked for, and comes sealed to the new one (§5.1, §5.3).

use std::time::Duration;

use anyhow::{Result, ensure};
use connect_api::account::RotateKeys;
use connect_api::contacts::UserParams;
use connect_api::events::EventBody;
use connect_api::messages::{Auth, Message, MessageState};
use connect_api::page::Nothing;
use connect_api::trust::{Compare, CompareParams, Decide, DecideParams, Decision, Fingerprint};
use connect_proto::wire;
use connect_tests::apart::POLL;
use connect_tests::fake_relay::Reply;
use connect_tests::mischief::Story;
use connect_tests::world::{Person, World};

/// How often a test that waits for nothing to happen looks.
const LOOKS: usize = 25;

/// Alice and Bob know each other, and three of her messages wait while he is away.
async fn three_wait(world: &World) -> Result<(Person, Vec<String>)> {
    let alice = world.person("alice").await?;
    let mut bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let hello = alice.writes(&bob, "hello").await?;
    bob.receives(&hello).await?;
    alice.sees_state(&hello, MessageState::Delivered).await?;
    bob.stop().await;
    let mut waiting = Vec::new();
    for text in ["first", "second", "third"] {
        let id = alice.writes(&bob, text).await?;
        alice.sees_state(&id, MessageState::Sent).await?;
        waiting.push(id);
    }
    Ok((alice, waiting))
}

async fn reads_all(bob: &Person, alice: &Person, waiting: &[String]) -> Result<Vec<Message>> {
    for id in waiting {
        bob.receives(id).await?;
    }
    let read = bob.reads(alice).await?;
    let ids: Vec<_> = read.iter().map(|message| &message.message_id).collect();
    assert_eq!(ids, waiting.iter().collect::<Vec<_>>());
    Ok(read)
}

async fn nothing_is_left(bob: &Person) -> Result<()> {
    let inbox = bob.client.health().await?.inbox;
    assert_eq!((inbox.missing, inbox.quarantined), (0, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_the_old_key_is_read_in_order_under_the_new_one() -> Result<()> {
    let world = World::new().await?;
    let (alice, waiting) = three_wait(&world).await?;
    let bob = world.reinstalled("bob").await?;
    let missing = bob.sees(|body| {
        matches!(body, EventBody::MessageMissing { message_id: Some(id), .. } if *id == waiting[2])
    });
    missing.await?;
    let read = reads_all(&bob, &alice, &waiting).await?;
    let texts: Vec<_> = read.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["first", "second", "third"]);
    assert!(read.iter().all(|message| message.auth == Auth::Current));
    for id in &waiting {
        alice.sees_state(id, MessageState::Delivered).await?;
    }
    nothing_is_left(&bob).await?;
    // And it goes on, both ways.
    let more = alice.writes(&bob, "fourth").await?;
    assert_eq!(bob.receives(&more).await?.text, "fourth");
    let back = bob.writes(&alice, "all here").await?;
    assert_eq!(alice.receives(&back).await?.auth, Auth::Current);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_who_rotated_meanwhile_seals_it_under_the_new_key() -> Result<()> {
    let world = World::new().await?;
    let (alice, waiting) = three_wait(&world).await?;
    alice.client.call::<RotateKeys>(Nothing {}).await?;
    let bob = world.reinstalled("bob").await?;
    let read = reads_all(&bob, &alice, &waiting).await?;
    assert!(read.iter().all(|message| message.auth == Auth::Current));
    nothing_is_left(&bob).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_wait_are_asked_for_one_by_one() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    bob.stop().await;
    let mut waiting = Vec::new();
    for text in ["one", "two"] {
        waiting.push(alice.writes(&bob, text).await?);
    }
    alice.sees_state(&waiting[1], MessageState::Sent).await?;
    let bob = world.reinstalled("bob").await?;
    reads_all(&bob, &alice, &waiting).await?;
    nothing_is_left(&bob).await
}

#[tokio::test(flavor = "multi_thread")]
async fn to_a_verified_contact_with_another_key_nothing_goes_out_again_undecided() -> Result<()> {
    let world = World::new().await?;
    let (alice, waiting) = three_wait(&world).await?;
    let user_id = "bob".to_owned();
    let both = alice.client.call::<Fingerprint>(UserParams { user_id });
    let compared = CompareParams {
        user_id: "bob".to_owned(),
        digits: Some(both.await?.digits),
        qr: None,
    };
    assert!(alice.client.call::<Compare>(compared).await?.verified);
    let bob = world.reinstalled("bob").await?;
    // The three, and the receipt for what asked for them.
    while alice.client.health().await?.outbox.held < 3 {
        tokio::time::sleep(POLL).await;
    }
    for _ in 0..LOOKS {
        let inbox = bob.client.health().await?.inbox;
        assert_eq!(inbox.missing, waiting.len() as u64);
        ensure!(bob.reads(&alice).await?.is_empty());
        tokio::time::sleep(POLL).await;
    }
    let accepted = DecideParams {
        user_id: "bob".to_owned(),
        decision: Decision::Accept,
        key: None,
    };
    alice.client.call::<Decide>(accepted).await?;
    reads_all(&bob, &alice, &waiting).await?;
    nothing_is_left(&bob).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_that_cannot_be_opened_is_asked_for_within_bounds() -> Result<()> {
    let story = Story::new().await?;
    let mut other = story.to.clone();
    other.box_key = connect_core::secret::BoxSecretKey::from_bytes(&[77; 32]).public_key();
    for _ in 0..7 {
        let page = (0..100).map(|_| {
            let inner = story.text("for another key");
            story.mallory.sealed(&other, &inner)
        });
        story.relay.replies(Reply::Page(page.collect()));
    }
    story.relay.acknowledged(700).await;
    let inbox = story.alice.client.health().await?.inbox;
    assert_eq!((inbox.missing, inbox.quarantined), (500, 700));
    story.relay.replies(Reply::Page(Vec::new()));
    let requests = |envelope: &wire::Envelope| {
        let inner = story.mallory.opens(&story.to, envelope)?;
        match inner.payload {
            Some(wire::inner::Payload::ResendRequest(request)) => Some(request.messages.len()),
            _ => None,
        }
    };
    let sent = loop {
        let sent = story.relay.sends(1).await;
        let named: Vec<_> = sent.iter().filter_map(requests).collect();
        if named.iter().sum::<usize>() == 500 {
            break named;
        }
        story.relay.replies(Reply::Page(Vec::new()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    ensure!(sent.len() <= 12, "{} requests", sent.len());
    Ok(())
}
