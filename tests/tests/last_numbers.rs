//! Numbers as high as anybody may say them: what cannot be counted on from there keeps nothing else waiting.

use anyhow::{Context as _, Result};
use connect_api::cases::{CaseParams, Close, Leave, List as ListCases};
use connect_api::errors::ErrorCode;
use connect_api::groups::{Get, GroupParams};
use connect_api::page::ListParams;
use connect_proto::hash::sha256;
use connect_proto::{codec, wire};
use connect_tests::bad_cases::{after, member};
use connect_tests::case_plot::{PATIENCE, Plot, control, first, key};
use connect_tests::fake_relay::Reply;
use connect_tests::mallory::{Mallory, update};
use connect_tests::mischief::Story;
use connect_tests::world::refusal;
use tokio::time::timeout;
use wire::Role::{Admin, Member};
use wire::inner::Payload;

/// The last that is taken in.
const LAST: u64 = (1 << 53) - 1;

/// Of a case with Alice, whatever came before it.
fn late(revision: u64) -> wire::CaseControl {
    wire::CaseControl {
        revision,
        previous_digest: vec![1; 32],
        ..first(&[("alice", Member), ("mallory", Admin)])
    }
}

/// What others do goes on, and so does this case where nothing more can be changed.
async fn goes_on(plot: &Plot<'_>) -> Result<()> {
    let alice = &plot.story.alice;
    let all = alice
        .client
        .call::<ListCases>(ListParams::default())
        .await?;
    assert_eq!(all.items.len(), 1);
    let text = plot.story.honest("still here");
    let id = hex::encode(&text.message_id);
    plot.brings(vec![text]).await?;
    timeout(PATIENCE, alice.receives(&id)).await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_a_case_at_its_last_revision_stops_no_page() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let mallory = &story.mallory;
    let before = late(LAST - 1);
    let mut left = after(&before);
    left.roster.pop();
    plot.brings(vec![
        plot.share(mallory, &before, &[(1, &key(1))], None),
        plot.entry(mallory, &key(1), Some(&before), control(&before)),
        plot.entry(mallory, &key(1), Some(&before), control(&left)),
    ])
    .await?;
    plot.is_at(LAST).await?;
    goes_on(&plot).await?;
    let case = || CaseParams { case: plot.case() };
    let alice = &story.alice.client;
    for refused in [
        refusal(alice.call::<Close>(case()).await)?,
        refusal(alice.call::<Leave>(case()).await)?,
    ] {
        assert_eq!(refused, ErrorCode::Invalid);
    }
    goes_on(&plot).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_other_keys_in_a_case_at_its_last_revision_stops_no_page() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let mallory = &story.mallory;
    let mut last = late(LAST);
    last.roster[0] = member("alice", Admin);
    plot.brings(vec![
        plot.share(mallory, &last, &[(1, &key(1))], None),
        plot.entry(mallory, &key(1), Some(&last), control(&last)),
    ])
    .await?;
    plot.is_at(LAST).await?;
    let now_ms = story.world.now_ms();
    let next = mallory.with_new_keys();
    let entry = next.entry_after(mallory, wire::KeyState::KeyReplaced, now_ms);
    story.relay.publishes(entry.clone());
    plot.brings(vec![update(&entry)?]).await?;
    let all = story
        .alice
        .client
        .call::<ListCases>(ListParams::default())
        .await?;
    assert_eq!(all.items[0].revision, LAST);
    Ok(())
}

/// Of a group, as its admins write it.
fn roster(revision: u64, previous: Vec<u8>, members: &[(&str, wire::Role)]) -> wire::GroupControl {
    let roster = members.iter().map(|(user, role)| member(user, *role));
    wire::GroupControl {
        revision,
        previous_digest: previous,
        name: "Ward 3".to_owned(),
        roster: roster.collect(),
    }
}

fn said(
    story: &Story,
    by: &Mallory,
    control: &wire::GroupControl,
    sequence: u64,
) -> wire::Envelope {
    let mut inner = by.text(&story.to, "", story.world.now_ms());
    inner.group_id = vec![9; 16];
    inner.roster_digest = sha256(&codec::encode(control)).to_vec();
    inner.sequence = sequence;
    inner.payload = Some(Payload::GroupControl(control.clone()));
    by.sealed(&story.to, &inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_a_group_at_its_last_revision_stops_no_page() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (mallory, nina) = (&story.mallory, plot.person("nina")?);
    let digest = |control: &wire::GroupControl| sha256(&codec::encode(control)).to_vec();
    let everyone = [("alice", Admin), ("mallory", Admin), ("nina", Member)];
    let one = roster(LAST - 1, vec![1; 32], &everyone);
    let two = roster(
        LAST,
        digest(&one),
        &[("alice", Admin), ("mallory", Member), ("nina", Member)],
    );
    // By the one before: she did not have the other yet.
    let leave = roster(LAST, digest(&one), &everyone[..2]);
    let beyond = roster(LAST + 1, digest(&two), &everyone[..2]);
    plot.brings(vec![
        said(&story, mallory, &one, 1),
        said(&story, mallory, &two, 2),
        said(&story, &nina, &leave, 1),
    ])
    .await?;
    let last = said(&story, &nina, &beyond, 2);
    plot.refuses(last, "malformed_payload").await?;
    let group = GroupParams {
        group: hex::encode([9; 16]),
    };
    let found = story.alice.client.call::<Get>(group).await?;
    assert_eq!((found.revision, found.members.len()), (LAST, 3));
    let text = story.honest("still here");
    let id = hex::encode(&text.message_id);
    plot.brings(vec![text]).await?;
    timeout(PATIENCE, story.alice.receives(&id)).await??;
    Ok(())
}

/// Each says that as much is missing as there are numbers, and they are more than can be added up.
#[tokio::test(flavor = "multi_thread")]
async fn gaps_of_any_size_let_the_account_be_unlocked_again() -> Result<()> {
    let mut story = Story::new().await?;
    let mut page = Vec::new();
    for installation in 0..1100_u64 {
        for sequence in [1, LAST] {
            let mut inner = story.text("far ahead");
            inner.installation_id = installation.to_be_bytes().to_vec();
            inner.sequence = sequence;
            page.push(story.mallory.sealed(&story.to, &inner));
        }
    }
    let count = page.len();
    for some in page.chunks(100) {
        story.relay.replies(Reply::Page(some.to_vec()));
    }
    timeout(PATIENCE, story.relay.acknowledged(count))
        .await
        .context("no answer")?;
    assert!(story.alice.client.health().await?.inbox.missing <= LAST);
    story.alice.restart().await?;
    story.alice.unlock().await?;
    assert!(story.alice.client.health().await?.inbox.missing <= LAST);
    Ok(())
}
