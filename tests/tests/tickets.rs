//! Tickets for byte streams (`rpc.md`): once, within a minute, for who asked, and not beyond a lock.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use connect_api::apps::{Create, CreateParams, Revoke, RevokeParams};
use connect_api::backup::{Begin, BeginVerify, BeginVerifyParams};
use connect_api::bytes::Ticket;
use connect_api::errors::ErrorCode;
use connect_api::page::Nothing;
use connect_api::scope::Scope;
use connect_api::session::Lock;
use connect_client::client::Client;
use connect_client::credentials::Credentials;
use connect_tests::backups::{recoverable, recovery_key, take, upload, verify};
use connect_tests::other_user::{NOBODY, SPEAKER, can_be_another_user, run};
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{Person, World, refusal, unhurried};
use connectd::limits::Limits;
use serde_json::json;
use tokio::time::timeout;

async fn ticket(alice: &Person) -> Result<Ticket> {
    Ok(alice.client.call::<Begin>(Nothing {}).await?.ticket)
}

async fn is_refused(alice: &Person, ticket: Ticket) -> Result<()> {
    let refused = alice.client.redeem(ticket).await;
    assert_eq!(refusal(refused)?, ErrorCode::NotFound);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_good_once_and_for_a_minute() -> Result<()> {
    let world = World::new().await?;
    let alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    let first = ticket(&alice).await?;
    drop(alice.client.redeem(first.clone()).await?);
    is_refused(&alice, first).await?;

    let second = ticket(&alice).await?;
    world.advance(59_000);
    drop(alice.client.redeem(second).await?);
    let third = ticket(&alice).await?;
    world.advance(60_000);
    is_refused(&alice, third).await?;
    let fourth = ticket(&alice).await?;
    world.set_back(1);
    is_refused(&alice, fourth).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_ticket_is_told_nothing() -> Result<()> {
    let world = World::new().await?;
    let alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    for garbage in ["", "x", "00", &"00".repeat(32), &"0G".repeat(32)] {
        is_refused(&alice, Ticket::new(garbage.to_owned())).await?;
    }
    // It is one only as the first line of a connection, and alone on it.
    let good = ticket(&alice).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.call("system.hello", json!({})).await?;
    let line = json!({"ticket": good.expose()}).to_string();
    let answer = raw.say(&line).await?;
    assert_eq!(outcome(&answer), "invalid_request");
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let surplus = json!({"ticket": good.expose(), "offset": 1}).to_string();
    assert_eq!(outcome(&raw.say(&surplus).await?), "invalid_request");
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    assert_eq!(raw.say(&line).await?["ok"], true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_show_it() -> Result<()> {
    if !can_be_another_user() {
        return Ok(());
    }
    let world = World::new().await?;
    let alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    open_to_others(&world, &alice)?;
    let good = ticket(&alice).await?;
    let line = format!("{}\n", json!({"ticket": good.expose()}));
    let socket = alice.endpoint.path().to_str().context("a path")?;
    let told = run((NOBODY, NOBODY), SPEAKER, &[socket], &line).await?;
    assert_eq!(outcome(&serde_json::from_str(told.trim())?), "not_found");
    // Whoever asked for it still can.
    drop(alice.client.redeem(good).await?);
    Ok(())
}

fn open_to_others(world: &World, alice: &Person) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for (path, mode) in [
        (world.path(), 0o755),
        (alice.state_dir.as_path(), 0o755),
        (alice.endpoint.path(), 0o666),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_ticket_is_good_as_long_as_the_app_is() -> Result<()> {
    let world = World::new().await?;
    let alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    let params = CreateParams {
        name: "backups".into(),
        scopes: vec![Scope::Admin],
        uid: None,
    };
    let app = alice.client.call::<Create>(params).await?;
    let token = app.token.into_inner();
    let client = Client::builder()
        .endpoint(alice.endpoint.clone())
        .credentials(Credentials::new(app.app_id.clone(), token))
        .lazy();
    ensure!(!take(&client).await?.bytes.is_empty());
    let late = client.call::<Begin>(Nothing {}).await?.ticket;
    let revoked = RevokeParams { app_id: app.app_id };
    alice.client.call::<Revoke>(revoked).await?;
    is_refused(&alice, late).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_the_ticket_and_the_stream() -> Result<()> {
    let world = World::new().await?;
    let alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    // More than the socket holds by itself.
    for number in 0..60 {
        alice
            .writes(&bob, &format!("{number} {}", "x".repeat(15_000)))
            .await?;
    }
    let kept = ticket(&alice).await?;
    let mut stream = alice.client.redeem(ticket(&alice).await?).await?;
    let size = stream.begun().size.context("a size")?;
    alice.client.call::<Lock>(Nothing {}).await?;
    let mut read = 0;
    let mut piece = vec![0; 64 << 10];
    // Reset or ended: all of it does not come.
    while let Ok(more) = stream.read(&mut piece).await {
        if more == 0 {
            break;
        }
        read += more as u64;
    }
    ensure!(read < size, "{read} of {size} bytes came after the lock");
    alice.unlock().await?;
    is_refused(&alice, kept).await
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_and_one_backup_at_a_time() -> Result<()> {
    let world = World::new().await?;
    let alice = recoverable(&world, "alice", &recovery_key(1)).await?;
    let bytes = take(&alice.client).await?.bytes;
    let mut tickets = Vec::new();
    for _ in 0..Limits::default().tickets_per_app {
        tickets.push(ticket(&alice).await?);
    }
    let refused = alice.client.call::<Begin>(Nothing {}).await;
    assert_eq!(refusal(refused)?, ErrorCode::RateLimited);
    world.advance(60_000);
    // An upload that has begun holds the place.
    let params = BeginVerifyParams {
        recovery_key: recovery_key(1),
        size: bytes.len() as u64,
    };
    let issued = alice.client.call::<BeginVerify>(params).await?;
    let held = alice.client.redeem(issued.ticket).await?;
    let key = recovery_key(1);
    let mut second = pin!(verify(&alice.client, &bytes, &key));
    let early = timeout(Duration::from_millis(200), &mut second).await;
    ensure!(early.is_err(), "the second one waits");
    drop(held);
    assert_eq!(second.await?.user_id, "alice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stands_still_is_ended() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        stalled_s: 1,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    let params = BeginVerifyParams {
        recovery_key: recovery_key(1),
        size: 1000,
    };
    let issued = alice.client.call::<BeginVerify>(params).await?;
    let mut silent = alice.client.redeem(issued.ticket).await?;
    let mut byte = [0];
    let ended = timeout(Duration::from_secs(30), silent.read(&mut byte)).await?;
    ensure!(!matches!(ended, Ok(1..)), "it was ended");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_heard_before_all_was_written() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger("alice").await?;
    let params = BeginVerifyParams {
        recovery_key: recovery_key(1),
        size: 64 << 20,
    };
    let issued = alice.client.call::<BeginVerify>(params).await?;
    let refused = upload(&alice.client, issued.ticket, &vec![7; 64 << 20]).await;
    assert_eq!(refusal(refused)?, ErrorCode::Invalid);
    Ok(())
}
