//! An export as a stream: of one moment, one at a time, and not beyond a lock.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use connect_api::conversations::{ExportFormat, ExportParams};
use connect_api::errors::ErrorCode;
use connect_api::page::Nothing;
use connect_api::session::Lock;
use connect_tests::exports::{all_of, ask, fetch, resources};
use connect_tests::world::{World, refusal};
use serde_json::Value;
use tokio::time::timeout;

use super::edit;

/// With a daemon that does not end.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is written while an export is fetched is not in it, however slowly it is read.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_of_one_moment_while_others_write() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    // More than the socket holds by itself.
    let mut written = Vec::new();
    for number in 0..150 {
        let text = format!("{number} {}", "x".repeat(10_000));
        written.push(alice.writes(&bob, &text).await?);
    }
    let export = ask(
        &alice.client,
        all_of(bob.conversation(), ExportFormat::Fhir),
    )
    .await?;
    let mut stream = alice.client.redeem(export.ticket).await?;
    let mut first = vec![0; 1000];
    let read = stream.read(&mut first).await?;
    let moment = stream.begun().taken_at.context("a moment")?;
    edit(&alice, &written[149], "changed meanwhile").await?;
    let late = alice.writes(&bob, "written meanwhile").await?;
    let mut bytes = first[..read].to_vec();
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..read]);
    }
    assert_eq!(Some(bytes.len() as u64), stream.begun().size);
    let text = String::from_utf8(bytes)?;
    ensure!(!text.contains("meanwhile") && !text.contains(&late));
    let bundle: Value = serde_json::from_str(&text)?;
    assert_eq!(resources(&bundle, "Communication").len(), written.len());
    let newest = alice.client.health().await?.events.last_event_id;
    ensure!(moment.event_id < newest);

    // Once more: the window is by when something was written.
    let sent = alice.reads(&bob).await?;
    let (from_ms, to_ms) = (sent[10].sent_ms, sent[149].sent_ms + 1);
    let expected = sent
        .iter()
        .filter(|message| (from_ms..to_ms).contains(&message.sent_ms));
    let window = ExportParams {
        from_ms: Some(from_ms),
        to_ms: Some(to_ms),
        ..all_of(bob.conversation(), ExportFormat::Fhir)
    };
    let ticket = ask(&alice.client, window).await?.ticket;
    let part: Value = serde_json::from_str(&fetch(&alice.client, ticket).await?.text)?;
    assert_eq!(resources(&part, "Communication").len(), expected.count());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_the_ticket_and_the_stream() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    for number in 0..60 {
        let text = format!("{number} {}", "x".repeat(15_000));
        alice.writes(&bob, &text).await?;
    }
    let html = || all_of(bob.conversation(), ExportFormat::Html);
    let kept = ask(&alice.client, html()).await?.ticket;
    let ticket = ask(&alice.client, html()).await?.ticket;
    let mut stream = alice.client.redeem(ticket).await?;
    let size = stream.begun().size.context("a size")?;
    alice.client.call::<Lock>(Nothing {}).await?;
    let mut read = 0;
    let mut piece = vec![0; 64 << 10];
    // Reset or ended: all of it does not come.
    while let Ok(more @ 1..) = timeout(PATIENCE, stream.read(&mut piece)).await? {
        read += more as u64;
    }
    ensure!(read < size, "{read} of {size} bytes came after the lock");
    alice.unlock().await?;
    let late = alice.client.redeem(kept).await;
    assert_eq!(refusal(late)?, ErrorCode::NotFound);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_made_at_a_time() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    // More than the socket holds by itself.
    for number in 0..60 {
        let text = format!("{number} {}", "x".repeat(15_000));
        alice.writes(&bob, &text).await?;
    }
    let html = || all_of(bob.conversation(), ExportFormat::Html);
    let first = ask(&alice.client, html()).await?.ticket;
    let second = ask(&alice.client, html()).await?.ticket;
    let held = alice.client.redeem(first).await?;
    let mut waiting = pin!(fetch(&alice.client, second));
    let early = timeout(Duration::from_millis(200), &mut waiting).await;
    ensure!(early.is_err(), "the second one waits");
    drop(held);
    ensure!(waiting.await?.text.ends_with("</html>\n"));
    Ok(())
}
