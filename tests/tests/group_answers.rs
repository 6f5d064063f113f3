//! A member who names rosters that nobody ever wrote is not answered without end (D17).

use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_core::nonce::Nonce;
use connect_proto::hash::sha256;
use connect_proto::{codec, wire};
use connect_tests::bad_cases::member;
use connect_tests::fake_relay::Reply;
use connect_tests::mallory::Mallory;
use connect_tests::mischief::Story;
use tokio::time::timeout;
use wire::Role::Admin;
use wire::inner::Payload;

const PATIENCE: Duration = Duration::from_mins(1);
const GROUP: [u8; 16] = [9; 16];

fn said(story: &Story, payload: Payload, roster: &[u8], sequence: u64) -> wire::Envelope {
    let mut inner = story.mallory.text(&story.to, "", story.world.now_ms());
    inner.group_id = GROUP.to_vec();
    inner.roster_digest = roster.to_vec();
    inner.sequence = sequence;
    inner.payload = Some(payload);
    story.mallory.sealed(&story.to, &inner)
}

/// What Alice sealed for Mallory, alone or among others.
fn opened(story: &Story, by: &Mallory, envelope: &wire::Envelope) -> Option<wire::Inner> {
    envelope.sealed.iter().find_map(|sealed| {
        Nonce::try_from(sealed.nonce.as_slice()).ok()?;
        let alone = wire::Envelope {
            sealed: vec![sealed.clone()],
            ..envelope.clone()
        };
        by.opens(&story.to, &alone)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_rosters_are_answered_a_few_times_and_no_more() -> Result<()> {
    const MADE_UP: u8 = 12;
    let story = Story::new().await?;
    let first = wire::GroupControl {
        revision: 1,
        name: "Ward".to_owned(),
        roster: vec![member("alice", Admin), member("mallory", Admin)],
        ..Default::default()
    };
    let digest = sha256(&codec::encode(&first)).to_vec();
    let begun = said(&story, Payload::GroupControl(first), &digest, 1);
    story.relay.replies(Reply::Page(vec![begun]));
    let mut last = Vec::new();
    for n in 1..=MADE_UP {
        let text = Payload::Text(wire::Text {
            body: "made up".to_owned(),
            reply_to: None,
        });
        let text = said(&story, text, &[n; 32], 1 + u64::from(n));
        last.clone_from(&text.message_id);
        story.relay.replies(Reply::Page(vec![text]));
        let id = hex::encode(&last);
        let received = story.alice.receives(&id);
        timeout(PATIENCE, received).await.context("not taken")??;
    }
    // The last thing that is said to all of this.
    let receipt =
        story.relay.sent_one(
            |envelope| match opened(&story, &story.mallory, envelope)?.payload {
                Some(Payload::Receipt(receipt)) => {
                    let mut told = receipt.messages.iter();
                    told.any(|one| one.message_id == last).then_some(())
                }
                _ => None,
            },
        );
    timeout(PATIENCE, receipt).await.context("no receipt")?;
    let sent = story.relay.sends(1).await;
    let rosters = sent.iter().filter(|envelope| {
        let inner = opened(&story, &story.mallory, envelope);
        inner.is_some_and(|it| matches!(it.payload, Some(Payload::GroupControl(_))))
    });
    assert_eq!(rosters.count(), 3);
    Ok(())
}
