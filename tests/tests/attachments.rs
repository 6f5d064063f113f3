//! Files that go with messages: sealed as they come, whole on the other side or not at all, and in clear on no disk.

use anyhow::{Context as _, Result};
use connect_api::attachments::{
    AttachmentParams, AttachmentReason, AttachmentState, BeginDownload, BeginDownloadParams,
    BeginUpload, BeginUploadParams, Cancel, DiscardLocal, List, ListParams,
};
use connect_api::errors::ErrorCode;
use connect_api::messages::{Delete, Get, MessageParams, MessageState, StateReason};
use connect_api::policy::{Set, SetParams};
use connect_tests::attachments::{
    CHUNK, announce, download, files, film, friends, holding, kept, name, send, soon, standing,
    thumbnail, upload,
};
use connect_tests::world::{Person, World, refusal};

async fn fetches_up_to(person: &Person, most: u64) -> Result<()> {
    let policy = SetParams {
        download_up_to_bytes: Some(Some(most)),
        ..SetParams::default()
    };
    person.client.call::<Set>(policy).await?;
    Ok(())
}

fn one(id: &str) -> AttachmentParams {
    AttachmentParams {
        attachment_id: id.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_any_size_comes_as_it_was_sent() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17] {
        let bytes = film(size, "left knee");
        let uploaded = upload(&alice.client, &bytes, "knee.dcm").await?;
        assert_eq!(uploaded.size, size as u64);
        let id = uploaded.attachment_id;
        assert!(
            download(&alice.client, &id, 0).await? == bytes,
            "{size}, before it is sent"
        );
        let sent = name(&alice.client, bob.conversation(), &id, Some("lateral")).await?;
        let message = bob.receives(&sent.message_id).await?;
        let attached = message.attachment.context("an attachment")?;
        assert_eq!(message.text, "lateral");
        assert_eq!(attached.attachment_id, id);
        assert_eq!(attached.size, size as u64);
        assert_eq!(attached.safe_name, "knee.dcm");
        assert!(download(&bob.client, &id, 0).await? == bytes, "{size}");
        for offset in [1, CHUNK - 1, CHUNK, CHUNK + 1, size] {
            let rest = download(&bob.client, &id, offset as u64).await;
            match bytes.get(offset..) {
                Some(expected) => assert!(rest? == expected, "{size} from {offset}"),
                None => assert_eq!(refusal(rest)?, ErrorCode::Invalid),
            }
        }
        alice.has_all_of(&id).await?;
        for person in [&alice, &bob] {
            let found = standing(&person.client, &id).await?;
            assert_eq!(found.attachment.state, AttachmentState::Ready);
            assert_eq!(found.transferred, size as u64);
            assert_eq!(found.message_id.as_ref(), Some(&sent.message_id));
        }
    }
    let page = bob.client.call::<List>(ListParams::default()).await?;
    assert_eq!(page.items.len(), 6);
    Ok(())
}

/// The message comes once all of the file is at the relay, and what was written after it comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_after_a_file_comes_after_it() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    world.stop_relay().await;
    let [message, id] = send(&alice, &bob, &film(2 * CHUNK, "hip"), "hip.dcm").await?;
    let text = alice.writes(&bob, "see the film").await?;
    let found = standing(&alice.client, &id).await?;
    assert_eq!(found.attachment.state, AttachmentState::Uploading);
    world.start_relay().await?;
    bob.receives(&text).await?;
    let order: Vec<String> = bob
        .reads(&alice)
        .await?
        .into_iter()
        .map(|message| message.message_id)
        .collect();
    assert_eq!(order, [message, text]);
    assert_eq!(bob.client.health().await?.inbox.missing, 0);
    Ok(())
}

/// A stream that breaks off leaves nothing: neither a file nor a key that could seal other bytes.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_is_given_up() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let begun = announce(&alice.client, 3 * CHUNK as u64, "half.dcm").await?;
    let id = begun.attachment_id;
    let mut stream = alice.client.redeem(begun.ticket).await?;
    stream.write(&film(CHUNK + 5, "half")).await?;
    let state = standing(&alice.client, &id).await?.attachment.state;
    assert_eq!(state, AttachmentState::Incomplete);
    let refused = name(&alice.client, bob.conversation(), &id, None).await;
    assert_eq!(refusal(refused)?, ErrorCode::Invalid);
    drop(stream);
    soon(async || {
        let is_gone = standing(&alice.client, &id).await.is_err();
        Ok(is_gone && kept(&alice.state_dir)?.is_empty())
    })
    .await?;
    assert_eq!(
        refusal(standing(&alice.client, &id).await)?,
        ErrorCode::NotFound
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_coming_when_the_daemon_ended_is_gone_afterwards() -> Result<()> {
    let world = World::new().await?;
    let (mut alice, _bob) = friends(&world).await?;
    let begun = announce(&alice.client, 3 * CHUNK as u64, "half.dcm").await?;
    let mut stream = alice.client.redeem(begun.ticket).await?;
    stream.write(&film(2 * CHUNK, "half")).await?;
    let whole = upload(&alice.client, b"whole", "whole.txt")
        .await?
        .attachment_id;
    alice.restart().await?;
    let half = standing(&alice.client, &begun.attachment_id).await;
    assert_eq!(refusal(half)?, ErrorCode::NotFound);
    assert_eq!(kept(&alice.state_dir)?.len(), 1);
    assert_eq!(download(&alice.client, &whole, 0).await?, b"whole");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_at_once_is_the_policys() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    fetches_up_to(&bob, 1000).await?;
    let [small_message, small] = send(&alice, &bob, &[7; 1000], "small").await?;
    bob.receives(&small_message).await?;
    bob.has_all_of(&small).await?;
    let [large_message, large] = send(&alice, &bob, &[7; 1001], "large").await?;
    let message = bob.receives(&large_message).await?;
    let attached = message.attachment.context("an attachment")?;
    assert_eq!(attached.state, AttachmentState::Available);
    assert_eq!(kept(&bob.state_dir)?.len(), 1);
    assert_eq!(download(&bob.client, &large, 0).await?, [7; 1001]);
    assert_eq!(kept(&bob.state_dir)?.len(), 2);

    let discarded = bob.client.call::<DiscardLocal>(one(&large)).await?;
    assert_eq!(discarded.attachment.state, AttachmentState::Available);
    assert_eq!(kept(&bob.state_dir)?.len(), 1);
    assert_eq!(download(&bob.client, &large, 0).await?, [7; 1001]);

    // One's own copy too: the relay gives it back to its owner.
    alice.has_all_of(&large).await?;
    alice.client.call::<DiscardLocal>(one(&large)).await?;
    assert_eq!(download(&alice.client, &large, 0).await?, [7; 1001]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_lies_here_than_the_quota_allows() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    for person in [&alice, &bob] {
        let policy = SetParams {
            attachments_quota_bytes: Some(1000),
            ..SetParams::default()
        };
        person.client.call::<Set>(policy).await?;
    }
    let refused = announce(&alice.client, 1001, "large").await;
    assert_eq!(refusal(refused)?, ErrorCode::StorageFull);
    let [first_message, first] = send(&alice, &bob, &[1; 600], "first").await?;
    bob.receives(&first_message).await?;
    bob.has_all_of(&first).await?;
    alice.has_all_of(&first).await?;
    alice.client.call::<DiscardLocal>(one(&first)).await?;
    let [second_message, second] = send(&alice, &bob, &[2; 600], "second").await?;
    let message = bob.receives(&second_message).await?;
    let state = message.attachment.context("an attachment")?.state;
    assert_eq!(state, AttachmentState::Available, "there is no room for it");
    let asked = download(&bob.client, &second, 0).await;
    assert_eq!(refusal(asked)?, ErrorCode::StorageFull);
    bob.client.call::<DiscardLocal>(one(&first)).await?;
    assert_eq!(download(&bob.client, &second, 0).await?, [2; 600]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cancels_a_file_on_its_way_takes_its_message_along() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    world.stop_relay().await;
    let [message, id] = send(&alice, &bob, &film(CHUNK, "hip"), "hip.dcm").await?;
    let cancelled = alice.client.call::<Cancel>(one(&id)).await?;
    assert_eq!(cancelled.attachment.state, AttachmentState::Cancelled);
    assert_eq!(alice.loses(&id).await?, AttachmentReason::Cancelled);
    alice.sees_state(&message, MessageState::Failed).await?;
    let params = MessageParams {
        message_id: message,
    };
    let shown = alice.client.call::<Get>(params).await?;
    assert_eq!(shown.recipients[0].reason, Some(StateReason::Withdrawn));
    assert!(kept(&alice.state_dir)?.is_empty());
    assert_eq!(alice.client.health().await?.outbox.queued, 0);
    let again = alice.client.call::<Cancel>(one(&id)).await;
    assert_eq!(refusal(again)?, ErrorCode::Invalid);
    world.start_relay().await?;
    let text = alice.writes(&bob, "no film today").await?;
    assert!(bob.receives(&text).await?.attachment.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_author_takes_back_is_gone_everywhere() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let [message, id] = send(&alice, &bob, &film(CHUNK, "hip"), "hip.dcm").await?;
    bob.receives(&message).await?;
    bob.has_all_of(&id).await?;
    let params = MessageParams {
        message_id: message.clone(),
    };
    let deleted = alice.client.call::<Delete>(params.clone()).await?;
    assert_eq!(deleted.attachment, None);
    bob.sees(|body| matches!(body, connect_api::events::EventBody::MessageDeleted { .. }))
        .await?;
    assert_eq!(bob.client.call::<Get>(params).await?.attachment, None);
    for person in [&alice, &bob] {
        let asked = download(&person.client, &id, 0).await;
        assert_eq!(refusal(asked)?, ErrorCode::Invalid);
        person.tidies_up().await?;
        assert!(kept(&person.state_dir)?.is_empty());
    }
    let at_the_relay = world.relay_dir().join("attachments");
    soon(async || Ok(files(&at_the_relay)?.is_empty())).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_announced_is_refused_by_name() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let params = |size, media_type: &str, filename: &str| BeginUploadParams {
        size,
        media_type: media_type.to_owned(),
        filename: filename.to_owned(),
    };
    let long = "x".repeat(2000);
    for (params, expected) in [
        (params(10_u64.pow(15), "a/b", "f"), ErrorCode::TooLarge),
        (params(1, "film", "f"), ErrorCode::Invalid),
        (params(1, "", "f"), ErrorCode::Invalid),
        (params(1, "a/b", &long), ErrorCode::Invalid),
        (params(1, &format!("a/{long}"), "f"), ErrorCode::Invalid),
    ] {
        let refused = alice.client.call::<BeginUpload>(params).await;
        assert_eq!(refusal(refused)?, expected);
    }
    let unknown = "00".repeat(16);
    let refused = name(&alice.client, bob.conversation(), &unknown, None).await;
    assert_eq!(refusal(refused)?, ErrorCode::NotFound);
    let [_, id] = send(&alice, &bob, b"once", "once").await?;
    let twice = name(&alice.client, bob.conversation(), &id, None).await;
    assert_eq!(refusal(twice)?, ErrorCode::Invalid, "it is named once");
    let none = BeginDownloadParams {
        attachment_id: id,
        offset: None,
        thumbnail: Some(true),
    };
    let refused = alice.client.call::<BeginDownload>(none).await;
    assert_eq!(refusal(refused)?, ErrorCode::NotFound);
    Ok(())
}

/// A name is whatever its sender says; what is shown and saved under is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_leads_nowhere() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let [message, _] = send(&alice, &bob, b"x", "../../x").await?;
    let attached = bob.receives(&message).await?.attachment.context("one")?;
    assert_eq!(attached.filename, "../../x");
    assert_eq!(attached.safe_name, "x");
    Ok(())
}

/// Neither here nor there, neither while it is used nor afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn no_plaintext_is_found_on_any_disk() -> Result<()> {
    let world = World::new().await?;
    let (mut alice, mut bob) = friends(&world).await?;
    let (secret, file) = ("patient 4711 left knee", "patient-4711-knee.dcm");
    let bytes = film(2 * CHUNK + 9, secret);
    let [message, id] = send(&alice, &bob, &bytes, file).await?;
    bob.receives(&message).await?;
    assert!(download(&bob.client, &id, 0).await? == bytes);
    for stopped in [false, true] {
        if stopped {
            alice.stop().await;
            bob.stop().await;
        }
        assert_eq!(kept(&bob.state_dir)?.len(), 1);
        for secret in [secret, file] {
            let found = holding(world.path(), secret.as_bytes())?;
            assert!(found.is_empty(), "{found:?}");
        }
    }
    // The search can fail.
    std::fs::write(world.path().join("in-clear"), &bytes)?;
    assert_eq!(holding(world.path(), secret.as_bytes())?.len(), 1);
    Ok(())
}

/// A scan shows what it is before it is fetched.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_has_a_small_picture_on_both_sides() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    fetches_up_to(&bob, 0).await?;
    let png = include_bytes!("attachments/bars.png");
    let uploaded = upload(&alice.client, png, "scan.png").await?;
    assert!(uploaded.has_thumbnail);
    let id = uploaded.attachment_id;
    let sent = name(&alice.client, bob.conversation(), &id, None).await?;
    let attached = bob
        .receives(&sent.message_id)
        .await?
        .attachment
        .context("one")?;
    assert!(attached.has_thumbnail);
    let small = thumbnail(&bob.client, &id).await?;
    assert_eq!(small, thumbnail(&alice.client, &id).await?);
    assert!(
        small.len() <= 16 << 10 && small.starts_with(&[0xFF, 0xD8]),
        "a JPEG"
    );
    assert!(kept(&bob.state_dir)?.is_empty(), "it came with the message");
    Ok(())
}
