//! A relay that gives other bytes than it got: each way has its name, and no byte of it reaches a reader.

use std::path::Path;

use anyhow::{Context as _, Result};
use connect_api::attachments::{
    AttachmentParams, AttachmentReason, AttachmentState, BeginDownload, BeginDownloadParams, Cancel,
};
use connect_api::errors::ErrorCode;
use connect_api::messages::{Delete, MessageParams};
use connect_api::policy::{Set, SetParams};
use connect_proto::ids::AttachmentId;
use connect_proto::routes;
use connect_proto::wire::{self, inner::Payload};
use connect_tests::attachments::{
    CHUNK, PATIENCE, download, film, friends, kept, name, send, soon, standing, upload,
};
use connect_tests::fake_relay::{FakeRelay, Reply};
use connect_tests::mischief::Story;
use connect_tests::world::{Person, World, refusal};
use tokio::time::timeout;

const SEALED: usize = CHUNK + 16;

/// The ciphertext of the only attachment of a daemon, chunk by chunk.
fn chunks(state_dir: &Path) -> Result<Vec<Vec<u8>>> {
    let [file] = <[_; 1]>::try_from(kept(state_dir)?)
        .ok()
        .context("one file")?;
    let sealed = std::fs::read(file)?;
    Ok(sealed.chunks(SEALED).map(<[u8]>::to_vec).collect())
}

struct Scene {
    bob: Person,
    id: String,
    /// As Alice sealed them.
    chunks: Vec<Vec<u8>>,
    bytes: Vec<u8>,
    relay: FakeRelay,
    _world: World,
}

/// Bob knows of a film of two and a half chunks, and has none of it.
async fn scene() -> Result<Scene> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let policy = SetParams {
        download_up_to_bytes: Some(Some(0)),
        ..SetParams::default()
    };
    bob.client.call::<Set>(policy).await?;
    let bytes = film(2 * CHUNK + CHUNK / 2, "left knee");
    let [message, id] = send(&alice, &bob, &bytes, "knee.dcm").await?;
    bob.receives(&message).await?;
    let chunks = chunks(&alice.state_dir)?;
    assert_eq!(chunks.len(), 3);
    let relay = FakeRelay::in_place_of(&mut world).await?;
    Ok(Scene {
        bob,
        id,
        chunks,
        bytes,
        relay,
        _world: world,
    })
}

impl Scene {
    fn gives(&self, chunks: &[Vec<u8>]) -> Result<()> {
        let id: AttachmentId = self.id.parse()?;
        for (index, chunk) in (1..).zip(chunks) {
            self.relay.gives_chunk(&id, index, chunk.clone());
        }
        Ok(())
    }

    /// Why Bob does not have it, after he asked; and that nothing of it is left with him.
    async fn asks_in_vain(&self) -> Result<AttachmentReason> {
        let asked = download(&self.bob.client, &self.id, 0).await;
        assert_eq!(refusal(asked)?, ErrorCode::Invalid);
        let found = standing(&self.bob.client, &self.id).await?.attachment;
        assert_eq!(found.state, AttachmentState::Failed);
        // It is told once it is noted, and its file goes then.
        soon(async || Ok(kept(&self.bob.state_dir)?.is_empty())).await?;
        found.reason.context("a reason")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_not_as_they_were_sealed_are_refused_by_name() -> Result<()> {
    let scene = scene().await?;
    let good = scene.chunks.clone();
    let damaged = |change: fn(&mut Vec<Vec<u8>>)| {
        let mut chunks = good.clone();
        change(&mut chunks);
        chunks
    };
    let cases: [(&str, AttachmentReason, Vec<Vec<u8>>); 8] = [
        (
            "truncated",
            AttachmentReason::ChunkSize,
            damaged(|chunks| chunks[2].truncate(CHUNK / 2)),
        ),
        (
            "emptied",
            AttachmentReason::ChunkSize,
            damaged(|chunks| chunks[0].clear()),
        ),
        (
            "extended",
            AttachmentReason::ChunkSize,
            damaged(|chunks| chunks[2].push(0)),
        ),
        (
            "longer than any",
            AttachmentReason::ChunkSize,
            damaged(|chunks| chunks[0].extend(std::iter::repeat_n(0, 1 << 20))),
        ),
        (
            "a flipped bit",
            AttachmentReason::ChunkDamaged,
            damaged(|chunks| chunks[1][700_000] ^= 1),
        ),
        (
            "a flipped tag",
            AttachmentReason::ChunkDamaged,
            damaged(|chunks| chunks[2][0] ^= 0x80),
        ),
        (
            "reordered",
            AttachmentReason::ChunkDamaged,
            damaged(|chunks| chunks.swap(0, 1)),
        ),
        (
            "repeated",
            AttachmentReason::ChunkDamaged,
            damaged(|chunks| chunks[1] = chunks[0].clone()),
        ),
    ];
    for (what, expected, chunks) in cases {
        scene.gives(&chunks)?;
        assert_eq!(scene.asks_in_vain().await?, expected, "{what}");
    }
    // A relay that comes to its senses is believed.
    scene.gives(&good)?;
    assert!(download(&scene.bob.client, &scene.id, 0).await? == scene.bytes);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_not_given_is_told_as_expired() -> Result<()> {
    let scene = scene().await?;
    scene.gives(&scene.chunks[..2])?;
    assert_eq!(scene.asks_in_vain().await?, AttachmentReason::Expired);
    Ok(())
}

/// What has lain here since it was found to agree is looked at again as it is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_disk_changed_gives_nothing_wrong() -> Result<()> {
    let scene = scene().await?;
    scene.gives(&scene.chunks)?;
    assert!(download(&scene.bob.client, &scene.id, 0).await? == scene.bytes);
    let [file] = <[_; 1]>::try_from(kept(&scene.bob.state_dir)?)
        .ok()
        .context("one")?;
    let mut sealed = std::fs::read(&file)?;
    sealed[SEALED + 5] ^= 1;
    std::fs::write(&file, &sealed)?;
    assert!(download(&scene.bob.client, &scene.id, 0).await.is_err());
    assert_eq!(
        scene.bob.loses(&scene.id).await?,
        AttachmentReason::FileDamaged
    );
    assert!(
        download(&scene.bob.client, &scene.id, 0).await? == scene.bytes,
        "fetched anew"
    );
    Ok(())
}

/// What a sender claims in the box is held against itself before anything is set aside for it: see `mischief`, and the
/// tests of core. What only shows when all is here is the sender's lie about the whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_lies_about_the_whole_is_found_out() -> Result<()> {
    let story = Story::new().await?;
    let key = [9; 32];
    let sealed = {
        let key = connect_core::secret::AttachmentKey::from_bytes(&key);
        connect_core::attachment::seal_chunk(&key, 1, b"film")
    };
    let said = wire::Attachment {
        attachment_id: vec![5; 16],
        key: key.to_vec(),
        chunk_size: 2_097_152,
        chunk_count: 1,
        plaintext_size: 4,
        ciphertext_sha256: vec![0; 32],
        media_type: "a/b".to_owned(),
        ..wire::Attachment::default()
    };
    let id = AttachmentId::from_bytes([5; 16]);
    story.relay.gives_chunk(&id, 1, sealed);
    let mut inner = story.text("");
    inner.payload = Some(Payload::Attachment(said));
    let envelope = story.mallory.sealed(&story.to, &inner);
    story.relay.replies(Reply::Page(vec![envelope]));
    let reason = story.alice.loses(&id.to_string()).await?;
    assert_eq!(reason, AttachmentReason::DigestMismatch);
    soon(async || Ok(kept(&story.alice.state_dir)?.is_empty())).await?;
    Ok(())
}

/// Two films of which the relay cannot give a chunk, both smaller than a third one, which comes all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_the_relay_cannot_give_keeps_no_other_film_waiting() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let nothing = SetParams {
        download_up_to_bytes: Some(Some(0)),
        ..SetParams::default()
    };
    bob.client.call::<Set>(nothing).await?;
    let mut ids = Vec::new();
    for size in [10, 20, 30] {
        let [message, id] = send(&alice, &bob, &film(size, "knee"), "knee.dcm").await?;
        bob.receives(&message).await?;
        alice.has_all_of(&id).await?;
        ids.push(id);
    }
    let sealed: Vec<_> = kept(&alice.state_dir)?
        .iter()
        .map(std::fs::read)
        .collect::<Result<_, _>>()?;
    let largest = sealed.into_iter().max_by_key(Vec::len).context("three")?;
    let relay = FakeRelay::in_place_of(&mut world).await?;
    relay.gives_chunk(&ids[2].parse()?, 1, largest);
    for id in &ids[..2] {
        relay.fails_chunk(&id.parse()?, 1, 500);
        begin(&bob, id).await?;
    }
    let asked = timeout(PATIENCE, download(&bob.client, &ids[2], 0)).await?;
    assert_eq!(asked?, film(30, "knee"));
    for id in &ids[..2] {
        let state = standing(&bob.client, id).await?.attachment.state;
        assert_eq!(state, AttachmentState::Downloading, "it is tried again");
    }
    Ok(())
}

async fn begin(person: &Person, id: &str) -> Result<()> {
    let params = BeginDownloadParams {
        attachment_id: id.to_owned(),
        offset: None,
        thumbnail: None,
    };
    person.client.call::<BeginDownload>(params).await?;
    Ok(())
}

/// What was fetched for a fetch that was cancelled counts for none that follows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_begins_anew_has_nothing_of_the_one_before() -> Result<()> {
    let scene = scene().await?;
    scene.gives(&scene.chunks)?;
    let last = routes::chunk(&scene.id.parse()?, 3);
    scene.relay.holds(&last);
    begin(&scene.bob, &scene.id).await?;
    timeout(PATIENCE, scene.relay.is_holding()).await?;
    let attachment_id = scene.id.clone();
    let params = AttachmentParams { attachment_id };
    scene.bob.client.call::<Cancel>(params).await?;
    begin(&scene.bob, &scene.id).await?;
    scene.relay.lets_go();
    let asked = timeout(PATIENCE, download(&scene.bob.client, &scene.id, 0)).await?;
    assert!(asked? == scene.bytes);
    assert_eq!(kept(&scene.bob.state_dir)?.len(), 1);
    Ok(())
}

/// A relay that knows of two films when they are announced and at none of their chunks, and takes a third one.
#[tokio::test(flavor = "multi_thread")]
async fn a_film_that_the_relay_forgets_at_once_keeps_no_other_one_waiting() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let relay = FakeRelay::in_place_of(&mut world).await?;
    let mut ids = Vec::new();
    for size in [10, 20, 30] {
        let uploaded = upload(&alice.client, &film(size, "knee"), "knee.dcm").await?;
        ids.push(uploaded.attachment_id);
    }
    for id in &ids[..2] {
        relay.fails_chunk(&id.parse()?, 1, 404);
    }
    for id in &ids {
        name(&alice.client, bob.conversation(), id, None).await?;
    }
    let put = timeout(PATIENCE, relay.puts(1)).await?;
    assert_eq!(put[0].0, routes::chunk(&ids[2].parse()?, 1));
    for id in &ids[..2] {
        let state = standing(&alice.client, id).await?.attachment.state;
        assert_eq!(state, AttachmentState::Uploading, "it is tried again");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn films_that_the_relay_cannot_remove_keep_no_other_one_waiting() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let relay = FakeRelay::in_place_of(&mut world).await?;
    for _ in 0..2 {
        let [message_id, id] = send(&alice, &bob, b"film", "film").await?;
        timeout(PATIENCE, alice.has_all_of(&id)).await??;
        relay.fails_removal(&id.parse()?, 500);
        alice
            .client
            .call::<Delete>(MessageParams { message_id })
            .await?;
    }
    let [_, id] = send(&alice, &bob, b"another", "another").await?;
    timeout(PATIENCE, alice.has_all_of(&id)).await??;
    Ok(())
}

/// Otherwise it would be there for a month, and count.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_does_not_overtake_what_it_removes() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let relay = FakeRelay::in_place_of(&mut world).await?;
    relay.holds(routes::ATTACHMENTS);
    let [_, id] = send(&alice, &bob, b"film", "film").await?;
    timeout(PATIENCE, relay.is_holding()).await?;
    let attachment_id = id.clone();
    let params = AttachmentParams { attachment_id };
    alice.client.call::<Cancel>(params).await?;
    // Whoever is free removes before it sends another one.
    send(&alice, &bob, b"another", "another").await?;
    timeout(PATIENCE, relay.puts(1)).await?;
    relay.lets_go();
    let told = timeout(PATIENCE, relay.about_attachments(1)).await?;
    let removal = routes::attachment(&id.parse()?);
    let first = told.iter().position(|path| *path == removal);
    assert_eq!(first, Some(2), "{told:?}");
    assert_eq!(told[..2], [routes::ATTACHMENTS, routes::ATTACHMENTS]);
    Ok(())
}
