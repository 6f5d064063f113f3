//! Files that are given up: before they were sent, on their way, while they are fetched; and what is left of them for others.

use anyhow::{Context as _, Result, ensure};
use connect_api::account;
use connect_api::attachments::{
    AttachmentParams, AttachmentState, BeginDownload, BeginDownloadParams, Cancel, DiscardLocal,
};
use connect_api::conversation::Conversation;
use connect_api::errors::{ErrorCode, Reason};
use connect_api::events::EventBody;
use connect_api::groups::{Create, CreateParams};
use connect_api::messages::{
    Delete, Edit, EditParams, Get, MessageParams, MessageState, StateReason,
};
use connect_api::policy::{Set, SetParams};
use connect_client::client::Client;
use connect_client::error::CallError;
use connect_tests::attachments::{
    CHUNK, PATIENCE, announce, download, film, friends, kept, name, send, soon, standing, upload,
};
use connect_tests::raw::Raw;
use connect_tests::world::{Person, World, refusal, unhurried};
use connectd::limits::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

fn one(id: &str) -> AttachmentParams {
    AttachmentParams {
        attachment_id: id.to_owned(),
    }
}

fn message(id: &str) -> MessageParams {
    MessageParams {
        message_id: id.to_owned(),
    }
}

async fn policy(person: &Person, params: SetParams) -> Result<()> {
    person.client.call::<Set>(params).await?;
    Ok(())
}

/// Neither at once nor when they are asked for: what was given up before it went out never goes out.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_on_its_way_is_not_sent_when_it_is_missed() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let first = alice.writes(&bob, "first").await?;
    timeout(PATIENCE, bob.receives(&first)).await??;
    world.stop_relay().await;
    let [cancelled, film_of_it] = send(&alice, &bob, &film(CHUNK, "hip"), "hip.dcm").await?;
    alice.client.call::<Cancel>(one(&film_of_it)).await?;
    let [deleted, its_film] = send(&alice, &bob, &film(CHUNK, "knee"), "knee.dcm").await?;
    alice.client.call::<Delete>(message(&deleted)).await?;
    assert_eq!(alice.client.health().await?.outbox.queued, 0);
    assert!(kept(&alice.state_dir)?.is_empty());
    for id in [&cancelled, &deleted] {
        let shown = alice.client.call::<Get>(message(id)).await?;
        assert_eq!(shown.state, MessageState::Failed);
        assert_eq!(shown.recipients[0].reason, Some(StateReason::Withdrawn));
    }
    let state = standing(&alice.client, &its_film).await?.attachment.state;
    assert_eq!(state, AttachmentState::Cancelled);

    world.start_relay().await?;
    let second = alice.writes(&bob, "second").await?;
    timeout(PATIENCE, bob.receives(&second)).await??;
    assert_eq!(bob.client.health().await?.inbox.missing, 2);
    world.advance(61_000);
    let third = alice.writes(&bob, "third").await?;
    timeout(PATIENCE, bob.receives(&third)).await??;
    soon(async || Ok(bob.client.health().await?.inbox.missing == 0)).await?;
    let texts: Vec<_> = bob.reads(&alice).await?;
    let texts: Vec<_> = texts.into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["first", "second", "third"]);
    let health = bob.client.health().await?;
    assert_eq!(health.inbox.quarantined, 0);
    Ok(())
}

/// Otherwise the text of a message that was taken back before its file got there would go out by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_caption_is_not_edited_while_its_file_is_on_its_way() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    world.stop_relay().await;
    let [sent, id] = send(&alice, &bob, &film(CHUNK, "hip"), "hip.dcm").await?;
    let edit = EditParams {
        message_id: sent.clone(),
        text: "left hip".to_owned(),
    };
    let answer = alice.client.call::<Edit>(edit.clone()).await;
    let Err(CallError::Daemon { data, .. }) = answer else {
        anyhow::bail!("it was edited");
    };
    assert_eq!(data.field.as_deref(), Some("message_id"));
    assert_eq!(data.reason, Some(Reason::Uploading));
    world.start_relay().await?;
    timeout(PATIENCE, bob.receives(&sent)).await??;
    timeout(PATIENCE, alice.has_all_of(&id)).await??;
    let edited = alice.client.call::<Edit>(edit).await?;
    assert_eq!(edited.text, "left hip");
    Ok(())
}

/// At the ends of what is missing stand messages that came: one of them may have been deleted since.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_message_that_comes_again_is_no_conflict() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let first = alice.writes(&bob, "first").await?;
    timeout(PATIENCE, bob.receives(&first)).await??;
    world.stop_relay().await;
    let [_, id] = send(&alice, &bob, &film(CHUNK, "hip"), "hip.dcm").await?;
    alice.client.call::<Cancel>(one(&id)).await?;
    alice.client.call::<Delete>(message(&first)).await?;
    world.start_relay().await?;
    let second = alice.writes(&bob, "second").await?;
    timeout(PATIENCE, bob.receives(&second)).await??;
    assert_eq!(bob.client.health().await?.inbox.missing, 1);
    world.advance(61_000);
    let third = alice.writes(&bob, "third").await?;
    timeout(PATIENCE, bob.receives(&third)).await??;
    soon(async || Ok(bob.client.health().await?.inbox.missing == 0)).await?;
    // All that was asked for has come before this one.
    let last = alice.writes(&bob, "last").await?;
    timeout(PATIENCE, bob.receives(&last)).await??;
    assert_eq!(bob.client.health().await?.inbox.quarantined, 0);
    let mut events = bob.events();
    while let Some(event) = timeout(PATIENCE, events.next()).await? {
        match event?.body {
            EventBody::MessageConflict { .. } => anyhow::bail!("a conflict"),
            EventBody::MessageReceived(received) if received.message_id == last => break,
            _ => {}
        }
    }
    Ok(())
}

/// Whoever cancels while somebody sends comes before or after it, and both know which.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_not_cancelled_and_sent_at_once() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    world.stop_relay().await;
    let other = Client::builder().endpoint(alice.endpoint.clone()).lazy();
    other.health().await?;
    for _ in 0..60 {
        let id = upload(&alice.client, b"film", "film").await?.attachment_id;
        let (sent, cancelled) = tokio::join!(
            name(&alice.client, bob.conversation(), &id, None),
            other.call::<Cancel>(one(&id)),
        );
        cancelled?;
        match sent {
            // It was on its way, and its message with it.
            Ok(sent) => {
                let state = standing(&alice.client, &id).await?.attachment.state;
                assert_eq!(state, AttachmentState::Cancelled);
                let shown = alice.client.call::<Get>(message(&sent.message_id)).await?;
                assert_eq!(shown.state, MessageState::Failed);
            }
            Err(refused) => {
                assert_eq!(refused.code(), Some(ErrorCode::NotFound));
                let gone = standing(&alice.client, &id).await;
                assert_eq!(refusal(gone)?, ErrorCode::NotFound);
            }
        }
    }
    assert_eq!(alice.client.health().await?.outbox.queued, 0);
    Ok(())
}

/// As long as the relay has it: whatever became of the copy here.
#[tokio::test(flavor = "multi_thread")]
async fn a_sent_file_can_be_had_again_after_its_fetch_was_given_up() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let bytes = film(CHUNK + 9, "hip");
    let [_, id] = send(&alice, &bob, &bytes, "hip.dcm").await?;
    alice.has_all_of(&id).await?;
    alice.client.call::<DiscardLocal>(one(&id)).await?;
    world.stop_relay().await;
    let params = BeginDownloadParams {
        attachment_id: id.clone(),
        offset: None,
        thumbnail: None,
    };
    alice.client.call::<BeginDownload>(params).await?;
    let cancelled = alice.client.call::<Cancel>(one(&id)).await?;
    assert_eq!(cancelled.attachment.state, AttachmentState::Cancelled);
    world.start_relay().await?;
    assert!(download(&alice.client, &id, 0).await? == bytes);
    Ok(())
}

/// One who is gone must not keep a file from a ward.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_whom_the_relay_does_not_know_keeps_no_file_from_the_others() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, bob) = friends(&world).await?;
    let carol = world.person("carol").await?;
    alice.adds(&carol).await?;
    let params = CreateParams {
        name: "Ward 3".to_owned(),
        members: vec!["bob".to_owned(), "carol".to_owned()],
    };
    let group = alice.client.call::<Create>(params).await?.group;
    for member in [&bob, &carol] {
        member
            .sees(|body| matches!(body, EventBody::GroupChanged { .. }))
            .await?;
    }
    // Named as its reader before anybody tells of her end.
    world.stop_relay().await;
    let id = upload(&alice.client, b"film", "film").await?.attachment_id;
    let sent = name(&alice.client, Conversation::Group(group), &id, None).await?;
    let told = relay_forgets(&world, "carol").await?;
    assert_eq!(told, 1);
    world.start_relay().await?;
    timeout(PATIENCE, bob.receives(&sent.message_id)).await??;
    assert_eq!(download(&bob.client, &id, 0).await?, b"film");
    drop(carol);
    Ok(())
}

/// As if the account had been deleted at the relay.
async fn relay_forgets(world: &World, user_id: &str) -> Result<u64> {
    use sqlx::Connection as _;
    let place = world.relay_dir().join("relay.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place);
    let mut database = sqlx::SqliteConnection::connect_with(&options).await?;
    let done = sqlx::query("UPDATE users SET state = 1 WHERE user_id = ?")
        .bind(user_id)
        .execute(&mut database)
        .await?;
    database.close().await?;
    Ok(done.rows_affected())
}

/// Room that was kept for a file is free again once nobody can bring it any more.
#[tokio::test(flavor = "multi_thread")]
async fn room_is_not_kept_for_what_cannot_come() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        tickets_per_app: 2,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    let enrollment = world.enrollment("alice").await?;
    alice.client.call::<account::Enroll>(enrollment).await?;
    let quota = SetParams {
        attachments_quota_bytes: Some(1000),
        ..SetParams::default()
    };
    policy(&alice, quota).await?;
    let never_shown = announce(&alice.client, 600, "large").await?;
    announce(&alice.client, 0, "none").await?;
    // There is no ticket for this one, and soon no room is kept for it.
    for _ in 0..2 {
        soon(async || {
            let refused = refusal(announce(&alice.client, 400, "small").await)?;
            Ok(refused == ErrorCode::RateLimited)
        })
        .await?;
    }
    // Whoever gets a ticket makes those go whose time is over.
    world.advance(60_000);
    announce(&alice.client, 0, "none").await?;
    soon(async || match announce(&alice.client, 1000, "all").await {
        Ok(_) => Ok(true),
        Err(refused) => {
            assert_eq!(refused.code(), Some(ErrorCode::StorageFull));
            Ok(false)
        }
    })
    .await?;
    let gone = standing(&alice.client, &never_shown.attachment_id).await;
    assert_eq!(refusal(gone)?, ErrorCode::NotFound);
    Ok(())
}

/// Bob knows of a film that the relay cannot give him now, and may have few connections.
async fn out_of_reach(limits: Limits) -> Result<(World, Person, Person, String)> {
    let mut world = World::new().await?;
    let alice = world.person("alice").await?;
    let bob = world.stranger_with("bob", limits).await?;
    let enrollment = world.enrollment("bob").await?;
    bob.client.call::<account::Enroll>(enrollment).await?;
    alice.adds(&bob).await?;
    let none = SetParams {
        download_up_to_bytes: Some(Some(0)),
        ..SetParams::default()
    };
    policy(&bob, none).await?;
    let [sent, id] = send(&alice, &bob, &film(CHUNK, "hip"), "hip.dcm").await?;
    timeout(PATIENCE, bob.receives(&sent)).await??;
    world.stop_relay().await;
    Ok((world, alice, bob, id))
}

/// Shows a ticket for the film on a connection of its own.
async fn waits_for(bob: &Person, id: &str) -> Result<UnixStream> {
    let params = BeginDownloadParams {
        attachment_id: id.to_owned(),
        offset: None,
        thumbnail: None,
    };
    let download = bob.client.call::<BeginDownload>(params).await?;
    let mut stream = UnixStream::connect(bob.endpoint.path()).await?;
    let line = format!("{}\n", json!({"ticket": download.ticket.expose()}));
    stream.write_all(line.as_bytes()).await?;
    Ok(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_file_and_leaves_keeps_no_connection() -> Result<()> {
    let limits = Limits {
        connections_per_uid: 5,
        ..unhurried()
    };
    let (_world, _alice, bob, id) = out_of_reach(limits).await?;
    for _ in 0..10 {
        soon(async || {
            let Ok(stream) = waits_for(&bob, &id).await else {
                return Ok(false);
            };
            drop(stream);
            Ok(true)
        })
        .await?;
    }
    soon(async || {
        let Ok(mut raw) = Raw::connect(bob.endpoint.path()).await else {
            return Ok(false);
        };
        let hello = raw.outcome("system.hello", json!({})).await;
        Ok(hello.is_ok_and(|outcome| outcome == "ok"))
    })
    .await
}

/// Shell tools end what they say before they read the answer.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_only_says_no_more_still_gets_the_file() -> Result<()> {
    let (mut world, _alice, bob, id) = out_of_reach(unhurried()).await?;
    let mut stream = waits_for(&bob, &id).await?;
    stream.shutdown().await?;
    world.start_relay().await?;
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await??;
    let end = answer.iter().position(|byte| *byte == b'\n');
    let bytes = &answer[end.context("a first line")? + 1..];
    ensure!(bytes == film(CHUNK, "hip"), "{} bytes", bytes.len());
    Ok(())
}
