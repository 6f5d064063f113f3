//! A participant of a patient case who forges, and others who may not write into it: each entry is put aside by name, and none
//! is shown (D14, D16).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use connect_api::cases::{CaseParams, CaseState, Get, List};
use connect_api::events::EventBody;
use connect_api::page::ListParams;
use connect_tests::bad_cases::Cases;
use connect_tests::fake_relay::Reply;
use connect_tests::mischief::Story;
use tokio::time::timeout;

/// With what does not come.
const PATIENCE: Duration = Duration::from_mins(1);
const DAY_MS: u64 = 24 * 3600 * 1000;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_in_anothers_name_nor_under_an_old_epoch_nor_without_taking_part()
-> Result<()> {
    let story = Story::new().await?;
    let cases = Cases::new(&story)?;
    let before = cases.begin(&story);
    let begun = before.len();
    story.relay.replies(Reply::Page(before));
    let closed = |body: &EventBody| matches!(body, EventBody::CaseChanged { case, revision: 2, .. } if case.starts_with("02"));
    story.alice.sees(closed).await?;
    story.world.advance(DAY_MS);
    let (reasons, page): (Vec<_>, Vec<_>) = cases.bad(&story).into_iter().unzip();
    let count = begun + page.len();
    story.relay.replies(Reply::Page(page));
    let mut told = Vec::new();
    let mut events = story.alice.events();
    while told.len() < reasons.len() {
        let event = timeout(PATIENCE, events.next()).await?;
        match event.context("an event")??.body {
            EventBody::MessageQuarantined { reason, .. } => told.push(reason),
            EventBody::MessageReceived(received) => {
                anyhow::bail!("{} was shown", received.message_id)
            }
            _ => {}
        }
    }
    assert_eq!(told, reasons);
    assert_eq!(
        story.relay.acknowledged(count).await,
        (1..=count as u64).collect::<Vec<_>>()
    );
    // What was honest stands as it was.
    let listed = story
        .alice
        .client
        .call::<List>(ListParams::default())
        .await?;
    let states: Vec<_> = listed
        .items
        .iter()
        .map(|it| (it.revision, it.state))
        .collect();
    assert_eq!(states, [(2, CaseState::Closed), (2, CaseState::Open)]);
    for case in &listed.items {
        ensure!(story.alice.case(&case.case).await?.fields.is_empty());
        ensure!(story.alice.reads_case(&case.case).await?.is_empty());
    }
    Ok(())
}

/// She has the key of the epoch before, and the revision in which she took part.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_taken_out_brings_nobody_in_and_not_herself() -> Result<()> {
    let story = Story::new().await?;
    let (page, again) = Cases::new(&story)?.who_was_taken_out(&story);
    story.relay.replies(Reply::Page(page));
    let begun = story.alice.sees(
        |body| matches!(body, EventBody::CaseChanged { case, revision: 2, .. } if case.starts_with("03")),
    );
    timeout(PATIENCE, begun).await??;
    story.relay.replies(Reply::Page(vec![again]));
    let refused = story.alice.sees(
        |body| matches!(body, EventBody::MessageQuarantined { reason, .. } if reason == "not_a_participant"),
    );
    timeout(PATIENCE, refused).await??;
    let case = "03".repeat(16);
    let shown = story.alice.client.call::<Get>(CaseParams { case }).await?;
    let people: Vec<_> = shown
        .participants
        .iter()
        .map(|one| one.user_id.as_str())
        .collect();
    assert_eq!(people, ["alice", "mallory"]);
    Ok(())
}
