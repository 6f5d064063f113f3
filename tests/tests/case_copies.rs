//! What becomes of the copies of a case's files for whoever joins it late: taken back, for somebody who is out, cut off, or
//! none at all (D16).

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use connect_api::attachments::AttachmentState;
use connect_api::events::EventBody;
use connect_api::messages::{Delete, MessageParams};
use connect_api::policy::{Set, SetParams};
use connect_proto::ids::AttachmentId;
use connect_proto::routes;
use connect_proto::wire::Role::{Admin, Member};
use connect_proto::wire::inner::Payload;
use connect_store::cases::{self, copies};
use connect_tests::attachments::{
    CHUNK, PATIENCE, download, files, film, kept, send_to_case, soon, standing,
};
use connect_tests::bad_cases::Cases;
use connect_tests::case_plot::{Plot, control, first, key};
use connect_tests::fake_relay::Reply;
use connect_tests::mischief::Story;
use connect_tests::world::{Person, World};
use tokio::time::timeout;

/// The daemon's file of an attachment that was sent last, by the files that were there before.
fn newest(person: &Person, before: &[PathBuf]) -> Result<PathBuf> {
    let mut files = kept(&person.state_dir)?;
    files.retain(|file| !before.contains(file));
    let [file] = <[_; 1]>::try_from(files).ok().context("one new file")?;
    Ok(file)
}

/// How often the first chunk of a file lies at the relay.
fn at_the_relay(world: &World, ciphertext: &[u8]) -> Result<usize> {
    let chunk = &ciphertext[..ciphertext.len().min(CHUNK + 16)];
    let mut count = 0;
    for file in files(&world.relay_dir().join("attachments"))? {
        // One that is being removed just now is none.
        count += usize::from(fs::read(file).is_ok_and(|bytes| bytes == chunk));
    }
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_or_for_whom_is_out_leaves_the_relay() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let (dora, eve) = (world.person("dora").await?, world.person("eve").await?);
    for other in [&bob, &dora, &eve] {
        alice.adds(other).await?;
    }
    let case = alice.begins_case("Bed 4", &[&bob], &[]).await?.case;
    let [message_id, hip] = send_to_case(&alice, &case, &film(20, "hip")).await?;
    let before = kept(&alice.state_dir)?;
    let hip_sealed = fs::read(newest(&alice, &[])?)?;
    let [_, knee] = send_to_case(&alice, &case, &film(CHUNK + 9, "knee")).await?;
    let knee_sealed = fs::read(newest(&alice, &before)?)?;
    for one in [&dora, &eve] {
        alice.adds_to_case(&case, one).await?;
        for id in [&hip, &knee] {
            timeout(PATIENCE, one.has_all_of(id)).await??;
        }
    }
    // What its author sent, and a copy for each.
    for sealed in [&hip_sealed, &knee_sealed] {
        assert_eq!(at_the_relay(&world, sealed)?, 3);
    }
    alice
        .client
        .call::<Delete>(MessageParams { message_id })
        .await?;
    soon(async || Ok(at_the_relay(&world, &hip_sealed)? == 0)).await?;
    assert_eq!(at_the_relay(&world, &knee_sealed)?, 3);
    alice.removes_from_case(&case, &eve).await?;
    soon(async || Ok(at_the_relay(&world, &knee_sealed)? == 2)).await?;
    // Who is added again gets one again, under another id.
    alice.adds_to_case(&case, &eve).await?;
    soon(async || Ok(at_the_relay(&world, &knee_sealed)? == 3)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_keeps_no_other_waiting_and_comes_later() -> Result<()> {
    let world = World::new().await?;
    let (mut alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let dora = world.person("dora").await?;
    for other in [&bob, &dora] {
        alice.adds(other).await?;
    }
    let case = alice.begins_case("Bed 4", &[&bob], &[]).await?.case;
    let [_, small] = send_to_case(&alice, &case, &film(20, "knee")).await?;
    let before = kept(&alice.state_dir)?;
    let small_file = newest(&alice, &[])?;
    let [_, large] = send_to_case(&alice, &case, &film(CHUNK, "hip")).await?;
    let large_sealed = fs::read(newest(&alice, &before)?)?;
    let small_sealed = fs::read(&small_file)?;
    // The smallest would be the first, and cannot be opened.
    fs::remove_file(&small_file)?;
    fs::create_dir(&small_file)?;

    alice.adds_to_case(&case, &dora).await?;
    timeout(PATIENCE, dora.has_all_of(&large)).await??;
    alice.stop().await;
    fs::remove_dir(&small_file)?;
    fs::write(&small_file, &small_sealed)?;
    alice.start().await?;
    alice.unlock().await?;
    timeout(PATIENCE, dora.has_all_of(&small)).await??;
    // What was there before the daemon ended was not brought there again.
    for sealed in [&small_sealed, &large_sealed] {
        assert_eq!(at_the_relay(&world, sealed)?, 2);
    }
    Ok(())
}

/// Films take long: whoever joins meanwhile gets what is small at once, and what was brought before is not brought again.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_behind_the_film_of_another() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let (nina, otto) = (plot.person("nina")?, plot.person("otto")?);
    begins(&plot).await?;
    send_to_case(&story.alice, &plot.case(), &film(20, "knee")).await?;
    send_to_case(&story.alice, &plot.case(), &film(2 * CHUNK + 9, "hip")).await?;
    let sent = story.relay.puts(4).await;
    let [knee, mut hips @ ..] = <[_; 4]>::try_from(sent).ok().context("four chunks")?;
    hips.sort_unstable();
    let hips = hips.map(|(_, bytes)| bytes);

    story.relay.holds_bytes(hips[0]);
    plot.adds(&nina).await?;
    timeout(PATIENCE, story.relay.is_holding()).await?;
    plot.adds(&otto).await?;
    plot.shares_with(&otto, |share| share.history.is_some())
        .await?;
    story.relay.lets_go();
    for one in [&nina, &otto] {
        plot.shares_with(one, |share| !share.copies.is_empty())
            .await?;
    }
    // Histories are put as well.
    let is_of_a_file = |bytes: &_| *bytes == knee.1 || hips.contains(bytes);
    let copied = timeout(PATIENCE, async {
        let mut count = 4 + 8;
        loop {
            let mut put = story.relay.puts(count).await;
            count = put.len() + 1;
            put.drain(..4);
            put.retain(|(_, bytes)| is_of_a_file(bytes));
            if put.len() >= 8 {
                return put;
            }
        }
    });
    let order: Vec<_> = copied.await?.into_iter().map(|(_, bytes)| bytes).collect();
    let of_nina = [knee.1, hips[0]];
    assert_eq!(order, [&of_nina[..], &[knee.1], &hips[1..], &hips].concat());
    Ok(())
}

/// Alice's case, begun by Mallory.
async fn begins(plot: &Plot<'_>) -> Result<()> {
    let mallory = &plot.story.mallory;
    let one = first(&[("alice", Member), ("mallory", Admin)]);
    plot.brings(vec![
        plot.share(mallory, &one, &[(1, &key(7))], None),
        plot.entry(mallory, &key(7), None, control(&one)),
    ])
    .await?;
    plot.is_at(1).await?;
    Ok(())
}

/// What Alice has of a message stays, and whoever joins later gets that.
#[tokio::test(flavor = "multi_thread")]
async fn another_file_under_the_same_id_is_a_conflict() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    begins(&plot).await?;
    let one = first(&[("alice", Member), ("mallory", Admin)]);
    let text = plot.says(&story.mallory, &key(7), &one, "hip");
    let [hip, knee] = [8, 9].map(|seed| Payload::Attachment(plot.history(seed, &[&text])));
    let said = |before, file| plot.again(&story.mallory, &key(7), &one, (before, 9, file));
    let sent = said(None, hip.clone());
    plot.brings(vec![sent.clone()]).await?;
    plot.reads(&sent).await?;
    plot.brings(vec![said(Some(&sent), hip), said(Some(&sent), knee)])
        .await?;
    let id = hex::encode(&sent.message_id);
    let conflict = story.alice.sees(
        |body| matches!(body, EventBody::MessageConflict { message_id, .. } if *message_id == id),
    );
    timeout(PATIENCE, conflict).await??;
    // Once, and not for what was the same.
    assert_eq!(story.alice.client.health().await?.inbox.quarantined, 1);
    Ok(())
}

/// While another is on its way here, so that more is to come.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_tried_once() -> Result<()> {
    let story = Story::new().await?;
    let plot = Plot::new(&story);
    let nina = plot.person("nina")?;
    begins(&plot).await?;
    send_to_case(&story.alice, &plot.case(), &film(20, "knee")).await?;
    fs::write(newest(&story.alice, &[])?, b"damaged")?;
    let one = first(&[("alice", Member), ("mallory", Admin)]);
    let text = plot.says(&story.mallory, &key(7), &one, "hip");
    let hip = plot.history(9, &[&text]);
    story
        .relay
        .holds(&routes::chunk(&AttachmentId::from_bytes([9; 16]), 1));
    let sent = plot.entry(
        &story.mallory,
        &key(7),
        Some(&one),
        Payload::Attachment(hip),
    );
    plot.brings(vec![sent]).await?;
    timeout(PATIENCE, story.relay.is_holding()).await?;

    plot.adds(&nina).await?;
    timeout(PATIENCE, story.relay.about_attachments(1)).await?;
    story.relay.lets_go();
    let told = plot.shares_with(&nina, |share| !share.copies.is_empty());
    assert_eq!(told.await?.copies.len(), 1);
    let about = story.relay.about_attachments(1).await;
    let (created, removed): (Vec<_>, Vec<_>) =
        about.iter().partition(|path| **path == routes::ATTACHMENTS);
    // Alice's own, the history, the damaged one and the other.
    assert_eq!((created.len(), removed.len()), (4, 1));
    Ok(())
}

/// By the word of whoever brought her in, who lies.
async fn is_told(
    person: &mut Person,
    case: &str,
    lies: &[(&str, AttachmentId)],
    now_ms: u64,
) -> Result<()> {
    person.stop().await;
    let store = person.database().await?;
    let found = cases::find(&store, case.parse()?)
        .await?
        .context("the case")?;
    let by = found.introduced_by.context("somebody brought her in")?;
    let mut said = Vec::new();
    for (id, place) in lies {
        said.push((id.parse()?, *place));
    }
    let mut tx = store.begin().await?;
    copies::put(&mut tx, found.row, &by, &said, now_ms).await?;
    tx.commit().await?;
    store.close().await;
    person.start().await?;
    person.unlock().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_none_hides_nothing() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    let mut dora = world.person("dora").await?;
    for other in [&bob, &dora] {
        alice.adds(other).await?;
    }
    let nothing = SetParams {
        download_up_to_bytes: Some(Some(0)),
        ..SetParams::default()
    };
    dora.client.call::<Set>(nothing).await?;
    let case = alice.begins_case("Bed 4", &[&bob], &[]).await?.case;
    alice.adds_to_case(&case, &dora).await?;
    dora.sees_case(&case, 2).await?;
    let (first, second) = (film(2 * CHUNK, "hip"), film(2 * CHUNK, "knee"));
    let [_, hip] = send_to_case(&alice, &case, &first).await?;
    let [_, knee] = send_to_case(&alice, &case, &second).await?;
    for id in [&hip, &knee] {
        soon(async || {
            let there = standing(&dora.client, id).await;
            Ok(there.is_ok_and(|it| it.attachment.state == AttachmentState::Available))
        })
        .await?;
    }
    // Where nothing lies, and where another film does.
    let nowhere = AttachmentId::from_bytes([7; 16]);
    let lies = [(hip.as_str(), nowhere), (&knee, hip.parse()?)];
    is_told(&mut dora, &case, &lies, world.now_ms()).await?;
    for (id, bytes) in [(&hip, &first), (&knee, &second)] {
        let bytes_here = timeout(PATIENCE, download(&dora.client, id, 0)).await??;
        ensure!(bytes_here == *bytes);
    }
    // Each was looked for there first, and is forgotten.
    dora.stop().await;
    let store = dora.database().await?;
    let found = cases::find(&store, case.parse()?).await?;
    let of = found.context("the case")?.conversation;
    let mut tx = store.begin().await?;
    for (id, _) in lies {
        assert_eq!(copies::find(&mut tx, of, id.parse()?).await?, None);
    }
    drop(tx);
    store.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_brought_one_in_and_left_may_still_tell_of_copies_and_bring_no_key() -> Result<()> {
    let story = Story::new().await?;
    let (page, with_a_key) = Cases::new(&story)?.who_left(&story);
    let count = page.len() + 1;
    story.relay.replies(Reply::Page(page));
    story.relay.replies(Reply::Page(vec![with_a_key]));
    let mut events = story.alice.events();
    story.relay.acknowledged(count).await;
    let quarantined = story.alice.client.health().await?.inbox.quarantined;
    let mut told = Vec::new();
    while told.len() as u64 != quarantined {
        let event = timeout(PATIENCE, events.next()).await?;
        if let EventBody::MessageQuarantined { reason, .. } = event.context("an event")??.body {
            told.push(reason);
        }
    }
    assert_eq!(told, ["bad_key_share"]);
    Ok(())
}
