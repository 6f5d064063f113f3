//! Attachments between our daemon and a second implementation of the wire: either opens what the other sealed (D15).

use anyhow::Result;
use connect_api::attachments::{AttachmentReason, AttachmentState};
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_tests::attachments::{CHUNK, PATIENCE, download, film, name, standing, upload};
use connect_tests::independent::Independent;
use connect_tests::world::World;
use serde_json::json;
use tokio::time::timeout;

/// None, part of a chunk, exactly as many as fit, and a last one that is shorter.
const SIZES: [usize; 5] = [0, 1, CHUNK, 2 * CHUNK, 2 * CHUNK + CHUNK / 2];

fn chunk_count(size: usize) -> usize {
    size.div_ceil(CHUNK).max(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_independent_client_opens_what_our_daemon_sealed() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let user_id = "carol".to_owned();
    alice.client.call::<Add>(UserParams { user_id }).await?;
    for size in SIZES {
        let bytes = film(size, "left knee");
        let uploaded = upload(&alice.client, &bytes, "knee.dcm").await?;
        let id = uploaded.attachment_id.as_str();
        let to = Conversation::User("carol".to_owned());
        name(&alice.client, to, id, Some("see the meniscus")).await?;
        let heard = carol.hears(|message| message["attachment_id"] == id);
        assert_eq!(heard["kind"], "attachment");
        assert_eq!(heard["from"], "alice");
        assert_eq!(heard["filename"], "knee.dcm");
        assert_eq!(heard["media_type"], "application/octet-stream");
        assert_eq!(heard["caption"], "see the meniscus");
        assert_eq!(heard["size"], size);
        assert_eq!(heard["chunk_count"], chunk_count(size));
        let fetched = carol.fetches(&heard["attachment_id"])?;
        assert!(fetched == Ok(bytes), "{size} bytes are not the same");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_daemon_opens_what_an_independent_client_sealed() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    for size in SIZES {
        let bytes = film(size, "right knee");
        let sent = carol.attaches(&json!({ "to": "alice" }), &bytes, None)?;
        let [message_id, id] = ["message_id", "attachment_id"].map(|field| sent[field].as_str());
        let (message_id, id) = (message_id.expect("an id"), id.expect("an id"));
        let message = timeout(PATIENCE, alice.receives(message_id)).await??;
        assert_eq!(message.author, "carol");
        assert_eq!(message.text, "left knee");
        let attachment = message.attachment.expect("an attachment");
        assert_eq!(attachment.attachment_id, id);
        assert_eq!(attachment.filename, "knee.dcm");
        assert_eq!(attachment.media_type, "application/dicom");
        assert_eq!(attachment.size, size as u64);
        timeout(PATIENCE, alice.has_all_of(id)).await??;
        let fetched = timeout(PATIENCE, download(&alice.client, id, 0)).await??;
        assert!(fetched == bytes, "{size} bytes are not the same");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_refuse_what_was_not_sealed_so_by_the_same_name() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut carol = Independent::enrolled(&world, "carol").await?;
    let mut dave = Independent::enrolled(&world, "dave").await?;
    let bytes = film(2 * CHUNK + 1000, "left knee");
    for (mischief, reason, name) in [
        ("swapped", AttachmentReason::ChunkDamaged, "chunk_damaged"),
        ("truncated", AttachmentReason::ChunkSize, "chunk_size"),
        (
            "another_digest",
            AttachmentReason::DigestMismatch,
            "digest_mismatch",
        ),
    ] {
        let sent = carol.attaches(&json!({ "to": "alice" }), &bytes, Some(mischief))?;
        let id = sent["attachment_id"].as_str().expect("an id");
        assert_eq!(timeout(PATIENCE, alice.loses(id)).await??, reason);
        let found = standing(&alice.client, id).await?.attachment;
        assert_eq!(found.state, AttachmentState::Failed, "{mischief}");

        let sent = carol.attaches(&json!({ "to": "dave" }), &bytes, Some(mischief))?;
        let heard = dave.hears(|message| message["attachment_id"] == sent["attachment_id"]);
        let fetched = dave.fetches(&heard["attachment_id"])?;
        assert_eq!(fetched.map(|_| ()), Err(name.to_owned()), "{mischief}");
    }
    // And what is as it says comes well.
    let sent = carol.attaches(&json!({ "to": "dave" }), &bytes, None)?;
    let heard = dave.hears(|message| message["attachment_id"] == sent["attachment_id"]);
    assert!(dave.fetches(&heard["attachment_id"])? == Ok(bytes));
    Ok(())
}
