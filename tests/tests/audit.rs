//! The audit log: who did what, entered with what it wrote, without content, and whole.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use connect_api::apps::{Create, CreateParams, Created};
use connect_api::audit::{Entry, List, ListParams, Verify};
use connect_api::page::Nothing;
use connect_api::scope::Scope;
use connect_client::client::Client;
use connect_tests::apart::Apart;
use connect_tests::canary::{self, Kind};
use connect_tests::other_user::{NOBODY, can_be_another_user, speak};
use connect_tests::raw::Raw;
use connect_tests::world::{PIN, World, unhurried};
use connect_tests::{at_rest, binaries};
use serde_json::{Value, json};
use sqlx::Connection as _;

async fn log(client: &Client) -> Result<Vec<Entry>> {
    let params = ListParams {
        after: None,
        limit: Some(500),
    };
    Ok(client.call::<List>(params).await?.items)
}

async fn is_intact(client: &Client) -> Result<bool> {
    Ok(client.call::<Verify>(Nothing {}).await?.intact)
}

async fn pair(client: &Client, scopes: &[Scope]) -> Result<Created> {
    let params = CreateParams {
        name: "canary-app".into(),
        scopes: scopes.to_vec(),
        uid: None,
    };
    let app = client.call::<Create>(params).await?;
    canary::note(Kind::Token, app.token.expose().as_bytes());
    Ok(app)
}

fn credentials(app: &Created) -> Value {
    json!({"app_id": app.app_id, "token": app.token.expose()})
}

fn of<'a>(log: &'a [Entry], method: &str, outcome: &str) -> Vec<&'a Entry> {
    let wanted = |entry: &&Entry| entry.method == method && entry.outcome == outcome;
    log.iter().filter(wanted).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_who_did_what_to_which_thing_and_nothing_more() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    let app = pair(&alice.client, &[Scope::MessagesSend]).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.call("session.authenticate", credentials(&app)).await?;
    let to_bob = json!({"user": "bob"});
    let text = json!({"conversation": to_bob, "text": "canary-text", "client_ref": "canary-ref"});
    raw.call("messages.send", text.clone()).await?;
    raw.call("messages.list", json!({"conversation": to_bob}))
        .await?;
    alice.writes(&bob, "canary-other").await?;
    alice.reads(&bob).await?;

    let log = log(&alice.client).await?;
    let sent = of(&log, "messages.send", "ok");
    let [by_app, by_owner] = sent.as_slice() else {
        anyhow::bail!("{sent:?}")
    };
    let own = (
        Some(rustix::process::getuid().as_raw()),
        Some(std::process::id()),
    );
    assert_eq!(by_app.app.as_deref(), Some(app.app_id.as_str()));
    assert_eq!((by_app.uid, by_app.pid, by_app.count), (own.0, own.1, 1));
    assert_eq!(by_owner.app.as_deref(), Some("owner"));
    assert!(by_app.object.is_some());
    let added = of(&log, "contacts.add", "ok");
    for entry in [
        by_owner,
        &added[0],
        &of(&log, "messages.list", "forbidden")[0],
    ] {
        assert_eq!(entry.object, by_app.object, "{entry:?}");
    }
    assert_eq!(of(&log, "messages.list", "ok").len(), 1);
    assert_eq!(of(&log, "session.authenticate", "ok").len(), 1);
    assert_eq!(of(&log, "apps.create", "ok").len(), 1);
    let whole = serde_json::to_string(&log)?;
    for secret in ["bob", "alice", "canary", app.token.expose()] {
        assert!(!whole.contains(secret), "{secret} in {whole}");
    }
    let numbers: Vec<u64> = log.iter().map(|entry| entry.entry).collect();
    let expected: Vec<u64> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, expected);
    assert!(is_intact(&alice.client).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_entered_even_if_the_daemon_is_killed_right_then() -> Result<()> {
    let world = World::new().await?;
    let _bob = world.person("bob").await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    alice.adds("bob").await?;
    alice
        .sends("bob", "hello", "r")
        .await?
        .map_err(|code| anyhow::anyhow!(code.name()))?;
    pair(&alice.client, &[Scope::Admin]).await?;
    alice.kill()?;
    alice.restart_unlocked().await?;
    let log = log(&alice.client).await?;
    for method in [
        "account.enroll",
        "contacts.add",
        "messages.send",
        "apps.create",
        "session.unlock",
    ] {
        assert_eq!(of(&log, method, "ok").len(), 1, "{method}: {log:?}");
    }
    assert!(is_intact(&alice.client).await?);
    alice.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_while_it_was_locked_is_entered_once_it_is_open() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.call("session.lock", json!({})).await?;
    raw.call("session.unlock", json!({"pin": "00000"})).await?;
    for _ in 0..3 {
        raw.call("contacts.list", json!({})).await?;
    }
    raw.call("session.unlock", json!({"pin": PIN})).await?;
    let log = log(&alice.client).await?;
    assert_eq!(of(&log, "session.lock", "ok").len(), 1);
    assert_eq!(of(&log, "session.unlock", "wrong_pin").len(), 1);
    let locked = of(&log, "contacts.list", "locked");
    assert_eq!((locked.len(), locked[0].count), (1, 3));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_entered_and_counted_together() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let app = pair(&alice.client, &[Scope::MessagesSend]).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.call("session.authenticate", credentials(&app)).await?;
    for _ in 0..500 {
        assert_eq!(raw.outcome("contacts.list", json!({})).await?, "forbidden");
    }
    let found = log(&alice.client).await?;
    let forbidden = of(&found, "contacts.list", "forbidden");
    assert_eq!((forbidden.len(), forbidden[0].count), (1, 500));
    if can_be_another_user() {
        use std::os::unix::fs::PermissionsExt as _;
        for (path, mode) in [
            (world.path(), 0o755),
            (&alice.state_dir, 0o755),
            (alice.endpoint.path(), 0o666),
        ] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        let wrong = json!({"app_id": app.app_id, "token": "00".repeat(32)});
        let requests = [
            ("session.authenticate", wrong),
            ("messages.list", json!({"conversation": {"user": "canary"}})),
            ("no.such_method", json!({})),
        ];
        speak((NOBODY, NOBODY), alice.endpoint.path(), &requests).await?;
        let found = log(&alice.client).await?;
        for method in ["session.authenticate", "messages.list", "?"] {
            let refused = of(&found, method, "unauthenticated");
            assert_eq!(refused.len(), 1, "{method}");
            let who = (&refused[0].app, refused[0].uid, &refused[0].object);
            assert_eq!(who, (&None, Some(NOBODY), &None), "{method}");
        }
    }
    assert!(is_intact(&alice.client).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_its_own_scope() -> Result<()> {
    let world = World::new().await?;
    let alice = world.stranger_with("alice", unhurried()).await?;
    let params = world.enrollment("alice").await?;
    alice
        .client
        .call::<connect_api::account::Enroll>(params)
        .await?;
    let auditor = pair(&alice.client, &[Scope::AuditRead]).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    raw.call("session.authenticate", credentials(&auditor))
        .await?;
    assert_eq!(raw.outcome("audit.list", json!({"limit": 1})).await?, "ok");
    let page = raw.call("audit.list", json!({"limit": 1})).await?;
    assert_eq!(page["result"]["next"], 1);
    assert_eq!(raw.outcome("audit.verify", json!({})).await?, "ok");
    assert_eq!(
        raw.outcome("messages.list", json!({"conversation": {"user": "a"}}))
            .await?,
        "forbidden"
    );
    Ok(())
}

/// What `connectd audit verify` ends with, and says.
fn check(state_dir: &Path, pin: &str) -> Result<(Option<i32>, Value)> {
    let mut child = Command::new(binaries::path("connectd")?)
        .args(["audit", "verify", "--state-dir"])
        .arg(state_dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .context("its input")?
        .write_all(pin.as_bytes())?;
    let output = child.wait_with_output()?;
    let told = String::from_utf8(output.stderr)?;
    ensure!(!told.contains(pin.trim()), "{told}");
    Ok((
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap_or_default(),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_checked_without_a_daemon_as_well() -> Result<()> {
    let world = World::new().await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    let head = alice.client.call::<Verify>(Nothing {}).await?;
    let state_dir = alice.state_dir.clone();
    assert_eq!(check(&state_dir, PIN)?.0, Some(69), "a daemon has it");
    alice.stop()?;
    assert_eq!(check(&state_dir, "00000\n")?.0, Some(77));
    alice.start()?;
    alice.stop()?;
    let (code, verdict) = check(&state_dir, &format!("{PIN}\n"))?;
    assert_eq!(
        (code, &verdict["intact"]),
        (Some(0), &json!(true)),
        "{verdict}"
    );
    ensure!(
        verdict["entries"].as_u64() >= Some(head.entries),
        "{verdict}"
    );
    Ok(())
}

/// Whoever has the keys changes it by hand.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_changed_in_it_ends_the_check_with_65() -> Result<()> {
    let world = World::new().await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    for _ in 0..3 {
        pair(&alice.client, &[Scope::EventsRead]).await?;
    }
    alice.stop()?;
    let database = alice.state_dir.join("account/messages.db");
    let before = std::fs::read(&database)?;
    for change in [
        "UPDATE audit SET method = 'apps.list' WHERE entry = 2",
        "UPDATE audit SET uid = uid + 1 WHERE entry = 3",
        "UPDATE audit SET object = x'00' WHERE entry = 3",
        "DELETE FROM audit WHERE entry = 2",
        "DELETE FROM audit WHERE entry = (SELECT max(entry) FROM audit)",
        "DELETE FROM audit",
    ] {
        std::fs::write(&database, &before)?;
        let mut sql = at_rest::sql(&alice.state_dir).await?;
        let changed = sqlx::query(change).execute(&mut sql).await?;
        assert!(changed.rows_affected() > 0, "{change}");
        sql.close().await?;
        let (code, verdict) = check(&alice.state_dir, PIN)?;
        let found = (code, &verdict["intact"]);
        assert_eq!(found, (Some(65), &json!(false)), "{change}: {verdict}");
    }
    std::fs::write(&database, &before)?;
    assert_eq!(check(&alice.state_dir, PIN)?.0, Some(0));
    Ok(())
}
