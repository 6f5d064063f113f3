//! Paired apps: let in by their token, held to their scopes, shown out when they are revoked.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use connect_api::apps::{Create, CreateParams, Created, List, Revoke, RevokeParams};
use connect_api::conversation::Conversation;
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::page::ListParams;
use connect_api::scope::Scope;
use connect_client::client::Client;
use connect_client::credentials::Credentials;
use connect_tests::canary::{self, Kind};
use connect_tests::other_user::{NOBODY, can_be_another_user, speak};
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, Person, World, refusal, unhurried};
use connectd::limits::Limits;
use serde_json::{Value, json};

async fn pair(person: &Person, scopes: &[Scope], uid: Option<u32>) -> Result<Created> {
    let params = CreateParams {
        name: "ward EHR".into(),
        scopes: scopes.to_vec(),
        uid,
    };
    let app = person.client.call::<Create>(params).await?;
    canary::note(Kind::Token, app.token.expose().as_bytes());
    Ok(app)
}

fn credentials(app: &Created) -> Value {
    json!({"app_id": app.app_id, "token": app.token.expose()})
}

/// A connection that is the app's.
async fn enter(person: &Person, app: &Created) -> Result<Raw> {
    let mut raw = Raw::connect(person.endpoint.path()).await?;
    let answer = raw.call("session.authenticate", credentials(app)).await?;
    ensure!(
        answer["result"]["principal"] == app.app_id.as_str(),
        "{answer}"
    );
    Ok(raw)
}

async fn revoke(person: &Person, app: &Created) -> Result<()> {
    let app_id = app.app_id.clone();
    person
        .client
        .call::<Revoke>(RevokeParams { app_id })
        .await?;
    Ok(())
}

fn text_to(user: &str, text: &str, client_ref: &str) -> Value {
    json!({"conversation": {"user": user}, "text": text, "client_ref": client_ref})
}

fn files_below(dir: &Path, found: &mut Vec<std::path::PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            files_below(&path, found)?;
        } else if path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_told_once_and_only_its_hash_is_kept() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let app = pair(&alice, &[Scope::MessagesRead], None).await?;
    assert_eq!(app.token.expose().len(), 64);
    let listed = alice.client.call::<List>(ListParams::default()).await?;
    let shown = serde_json::to_string(&listed)?;
    assert!(shown.contains(&app.app_id) && !shown.contains(app.token.expose()));

    let token = hex::decode(app.token.expose())?;
    alice.stop().await;
    let mut files = Vec::new();
    files_below(&alice.state_dir, &mut files)?;
    assert!(files.iter().any(|path| path.ends_with("apps.json")));
    for path in files {
        let content = std::fs::read(&path)?;
        for secret in [token.as_slice(), app.token.expose().as_bytes()] {
            let is_there = content.windows(secret.len()).any(|window| window == secret);
            assert!(!is_there, "{} holds the token", path.display());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_and_leaves_the_connection_what_it_was() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let one = pair(&alice, &[Scope::MessagesRead], None).await?;
    let other = pair(&alice, &[Scope::MessagesSend], None).await?;
    let bound = pair(&alice, &[Scope::MessagesRead], Some(NOBODY)).await?;
    let token = one.token.expose();
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    for (app_id, token) in [
        (one.app_id.as_str(), other.token.expose()),
        (one.app_id.as_str(), &token.to_uppercase()),
        (one.app_id.as_str(), &token[..62]),
        (one.app_id.as_str(), ""),
        ("owner", token),
        (&"00".repeat(16), token),
        (&bound.app_id, bound.token.expose()),
    ] {
        let shown = json!({"app_id": app_id, "token": token});
        let answer = raw.call("session.authenticate", shown).await?;
        assert_eq!(outcome(&answer), "unauthenticated", "{app_id}");
        assert!(!answer.to_string().contains("reason"), "{answer}");
    }
    let hello = raw.call("system.hello", json!({})).await?;
    assert_eq!(hello["result"]["principal"], "owner");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_right_behind_the_token_is_done_in_the_apps_name() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let app = pair(&alice, &[Scope::MessagesRead], None).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    let shown = json!({"jsonrpc": "2.0", "id": 1, "method": "session.authenticate", "params": credentials(&app)});
    let hello = json!({"jsonrpc": "2.0", "id": 2, "method": "system.hello"});
    raw.write(format!("{shown}\n{hello}\n{hello}\n").as_bytes())
        .await?;
    assert_eq!(raw.line().await?.context("an answer")?["id"], 1);
    for _ in 0..2 {
        let answer = raw.line().await?.context("an answer")?;
        assert_eq!(answer["result"]["principal"], app.app_id.as_str());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_unlocks_a_daemon_that_has_just_started() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let unlocker = pair(&alice, &[Scope::SessionUnlock], None).await?;
    let reader = pair(&alice, &[Scope::MessagesRead], None).await?;
    alice.stop().await;
    alice.start().await?;
    let pin = json!({"pin": PIN});
    let mut raw = enter(&alice, &reader).await?;
    assert_eq!(
        raw.outcome("session.unlock", pin.clone()).await?,
        "forbidden"
    );
    let mut raw = enter(&alice, &unlocker).await?;
    let answer = raw.call("session.unlock", pin).await?;
    assert_eq!(answer["result"]["state"], "unlocked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_app_is_cut_off_and_stays_out() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let app = pair(&alice, &[Scope::EventsRead], None).await?;
    let other = pair(&alice, &[Scope::EventsRead], None).await?;
    let mut idle = enter(&alice, &app).await?;
    let mut listening = enter(&alice, &app).await?;
    listening.call("events.subscribe", json!({})).await?;
    let mut unconcerned = enter(&alice, &other).await?;

    revoke(&alice, &app).await?;
    assert!(idle.line().await?.is_none());
    // What it was told before that comes first.
    while listening.line().await?.is_some() {}
    assert_eq!(unconcerned.outcome("system.hello", json!({})).await?, "ok");
    let app_id = app.app_id.clone();
    let again = alice.client.call::<Revoke>(RevokeParams { app_id }).await;
    assert_eq!(refusal(again)?, ErrorCode::NotFound);

    for _ in 0..2 {
        let mut raw = Raw::connect(alice.endpoint.path()).await?;
        let answer = raw
            .outcome("session.authenticate", credentials(&app))
            .await?;
        assert_eq!(answer, "unauthenticated");
        alice.stop().await;
        alice.start().await?;
    }
    alice.unlock().await?;
    let listed = alice
        .client
        .call::<List>(ListParams::default())
        .await?
        .items;
    let revoked: Vec<bool> = listed.iter().map(|app| app.revoked_ms.is_some()).collect();
    assert_eq!(revoked, [true, false]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_or_damaged_copy_lets_nobody_in_and_comes_back_with_the_next_unlock() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let app = pair(&alice, &[Scope::MessagesRead], None).await?;
    let copy = alice.state_dir.join("account").join("apps.json");
    for damage in [None, Some("[{\"app_id\":")] {
        alice.stop().await;
        std::fs::remove_file(&copy)?;
        if let Some(damage) = damage {
            std::fs::write(&copy, damage)?;
        }
        alice.start().await?;
        let mut raw = Raw::connect(alice.endpoint.path()).await?;
        let answer = raw
            .outcome("session.authenticate", credentials(&app))
            .await?;
        assert_eq!(answer, "unauthenticated");
        alice.unlock().await?;
        enter(&alice, &app).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_hands_on_only_what_it_has() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let app = pair(&alice, &[Scope::Admin, Scope::MessagesRead], None).await?;
    let mut raw = enter(&alice, &app).await?;
    let create = |scopes: Value| json!({"name": "child", "scopes": scopes});
    let more = create(json!(["messages.read", "messages.send"]));
    assert_eq!(raw.outcome("apps.create", more).await?, "forbidden");
    let less = create(json!(["messages.read"]));
    assert_eq!(raw.outcome("apps.create", less).await?, "ok");
    for (params, code) in [
        (create(json!([])), "invalid"),
        (json!({"name": " ", "scopes": ["admin"]}), "invalid"),
        (json!({"name": "a\u{7}b", "scopes": ["admin"]}), "invalid"),
        (
            json!({"name": "x".repeat(65), "scopes": ["admin"]}),
            "invalid",
        ),
        (create(json!(["everything"])), "invalid_params"),
        (
            json!({"name": "child", "scopes": ["admin"], "uid": -1}),
            "invalid_params",
        ),
    ] {
        assert_eq!(
            raw.outcome("apps.create", params.clone()).await?,
            code,
            "{params}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_obey_scopes() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    let mut raws = Vec::new();
    for scopes in [
        &[Scope::EventsRead][..],
        &[Scope::EventsRead, Scope::MessagesRead],
        &[Scope::EventsRead, Scope::ContactsRead],
    ] {
        let app = pair(&bob, scopes, None).await?;
        let mut raw = enter(&bob, &app).await?;
        raw.call("events.subscribe", json!({"after": 0})).await?;
        raws.push((raw, app));
    }
    let message = alice.writes(&bob, "not for everyone").await?;
    bob.receives(&message).await?;
    bob.client
        .call::<connect_api::session::Lock>(connect_api::page::Nothing {})
        .await?;
    bob.unlock().await?;
    let mut told = Vec::new();
    for (raw, app) in &mut raws {
        // The log of another connection, from the start.
        let mut reader = enter(&bob, app).await?;
        let page = reader.call("events.list", json!({"limit": 500})).await?;
        let items = page["result"]["items"].as_array().context("items")?;
        let listed: Vec<String> = items
            .iter()
            .map(|event| event["type"].to_string())
            .collect();
        let mut followed = Vec::new();
        while followed.len() < listed.len() {
            let line = raw.line().await?.context("an event")?;
            followed.push(line["params"]["result"]["type"].to_string());
        }
        assert_eq!(followed, listed);
        told.push(listed);
    }
    let has = |of: usize, kind: &str| told[of].iter().any(|told| *told == format!("\"{kind}\""));
    for of in 0..3 {
        assert!(has(of, "session_locked"), "{told:?}");
        assert_eq!(has(of, "message_received"), of == 1, "{told:?}");
        assert_eq!(has(of, "contact_changed"), of == 2, "{told:?}");
    }
    Ok(())
}

/// What the owner or another app had subscribed to is not told to the next one.
#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_end_where_a_connection_becomes_another_apps() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let first = pair(&alice, &[Scope::EventsRead], None).await?;
    let second = pair(&alice, &[Scope::EventsRead], None).await?;
    let mut raw = Raw::connect(alice.endpoint.path()).await?;
    for app in [&first, &second] {
        let subscribed = raw.call("events.subscribe", json!({})).await?;
        let id = &subscribed["result"];
        ensure!(id.is_u64(), "{subscribed}");
        // Until then the one before may be told of an event.
        let asked = raw.ask("session.authenticate", credentials(app)).await?;
        while raw.line().await?.context("an answer")?["id"] != asked {}
        let params = json!({"subscription": id});
        let still_there = raw.call("events.unsubscribe", params).await?;
        assert_eq!(still_there["result"], false, "{still_there}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_are_counted_per_app_and_references_are_each_apps_own() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        sends_per_second: 1,
        send_burst: 2,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    let params = world.enrollment("alice").await?;
    alice
        .client
        .call::<connect_api::account::Enroll>(params)
        .await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let (one, other) = (
        pair(&alice, &[Scope::MessagesSend], None).await?,
        pair(&alice, &[Scope::MessagesSend], None).await?,
    );
    let mut first = enter(&alice, &one).await?;
    let mut second = enter(&alice, &one).await?;
    let mut others = enter(&alice, &other).await?;
    let begun = tokio::time::Instant::now();
    assert_eq!(
        first
            .outcome("messages.send", text_to("bob", "a", "r"))
            .await?,
        "ok"
    );
    assert_eq!(
        second
            .outcome("messages.send", text_to("bob", "a", "r"))
            .await?,
        "ok"
    );
    let mut more = 0;
    let refused = loop {
        let again = text_to("bob", "a", "r");
        let answer = second.call("messages.send", again).await?;
        if outcome(&answer) != "ok" {
            break answer;
        }
        more += 1;
        // Beyond the burst one for each second since.
        assert!(more <= begun.elapsed().as_secs(), "{more}");
    };
    assert_eq!(outcome(&refused), "rate_limited");
    ensure!(
        refused["error"]["data"]["retry_after_ms"]
            .as_u64()
            .is_some(),
        "{refused}"
    );
    // The same reference, another text: it is another app's.
    assert_eq!(
        others
            .outcome("messages.send", text_to("bob", "c", "r"))
            .await?,
        "ok"
    );
    let conversation = Conversation::User("bob".into());
    alice
        .client
        .send_text(conversation, "d", Some("r".into()))
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_shows_its_token_again_after_the_daemon_was_away() -> Result<()> {
    let world = World::new().await?;
    let mut alice = world.person("alice").await?;
    let scopes = [Scope::EventsRead, Scope::MessagesRead];
    let app = pair(&alice, &scopes, None).await?;
    let client = Client::builder()
        .endpoint(alice.endpoint.clone())
        .credentials(Credentials::new(&app.app_id, app.token.expose()))
        .lazy();
    let mut events = client.events(Some(0));
    for _ in 0..2 {
        let hello = client.hello().await?;
        assert_eq!(hello.principal.as_ref(), Some(&app.app_id));
        assert_eq!(hello.scopes.len(), scopes.len());
        while events.next().await.context("an event")??.body != (EventBody::SessionUnlocked {}) {}
        alice.restart().await?;
        // The connection that was lost is told of once.
        client.hello().await.ok();
    }
    revoke(&alice, &app).await?;
    client.hello().await.ok();
    assert_eq!(refusal(client.hello().await)?, ErrorCode::Unauthenticated);
    let ended = loop {
        match events.next().await.context("the end")? {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(ended.code(), Some(ErrorCode::Unauthenticated));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_serves_apps_of_several_users_and_its_group_alone_reaches_it() -> Result<()> {
    if !can_be_another_user() {
        return Ok(());
    }
    const EHR: u32 = 65_001;
    const LAB: u32 = 65_002;
    let group = rustix::process::getgid().as_raw();
    let world = World::new().await?;
    let alice = world.service("alice", unhurried()).await?;
    let params = world.enrollment("alice").await?;
    alice
        .client
        .call::<connect_api::account::Enroll>(params)
        .await?;
    for path in [world.path(), &alice.state_dir] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711))?;
    }
    let ehr = pair(&alice, &[Scope::MessagesRead], Some(EHR)).await?;
    let lab = pair(&alice, &[Scope::ContactsRead], Some(LAB)).await?;
    let socket = alice.endpoint.path();
    let requests = |app: &Created| {
        vec![
            ("session.authenticate", credentials(app)),
            ("conversations.list", json!({})),
            ("contacts.list", json!({})),
        ]
    };
    for (uid, app, expected) in [
        (EHR, &ehr, ["ok", "ok", "forbidden"]),
        (LAB, &lab, ["ok", "forbidden", "ok"]),
        // A stolen token is of no use to another user.
        (EHR, &lab, ["unauthenticated"; 3]),
        (LAB, &ehr, ["unauthenticated"; 3]),
    ] {
        let answers = speak((uid, group), socket, &requests(app)).await?;
        let outcomes: Vec<String> = answers.iter().map(outcome).collect();
        assert_eq!(outcomes, expected, "uid {uid}");
    }
    let answers = speak((EHR, NOBODY), socket, &requests(&ehr)).await?;
    assert_eq!(answers, [json!({"refused": true})]);
    Ok(())
}
