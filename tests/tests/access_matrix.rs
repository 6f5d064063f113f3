//! Who may call what in which state: every cell, against a real daemon. The table is the contract's own.
//!
//! Each call has a parameter that no method knows: whoever is let through is told so (`invalid_params`), and nothing happens.

use anyhow::{Result, ensure};
use connect_api::account::Enroll;
use connect_api::apps::{Create, CreateParams};
use connect_api::method::{Access, Needs};
use connect_api::openrpc::{self, Entry};
use connect_api::page::Nothing;
use connect_api::scope::Scope;
use connect_api::session::Lock;
use connect_tests::apart::POLL;
use connect_tests::other_user::{NOBODY, can_be_another_user, speak};
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{Person, World, unhurried};
use connectd::limits::Limits;
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unenrolled,
    Locked,
    Unlocked,
    Revoked,
}

/// A pairing, and what it was given.
struct Paired {
    id: String,
    token: String,
    scopes: Vec<Scope>,
}

impl Paired {
    fn credentials(&self) -> Value {
        json!({"app_id": self.id, "token": self.token})
    }
}

fn surplus() -> Value {
    json!({"no_such_parameter": 1})
}

/// What the contract promises. `scopes` is none for whoever has not shown who it is.
fn promised(entry: &Entry, scopes: Option<&[Scope]>, state: State) -> &'static str {
    match (entry.access, scopes) {
        (Access::Anyone, _) => {}
        (_, None) => return "unauthenticated",
        (Access::Scope(scope), Some(held)) if !held.contains(&scope) => return "forbidden",
        _ => {}
    }
    match (entry.needs, state) {
        (Needs::Enrolled | Needs::Unlocked, State::Unenrolled) => "not_enrolled",
        (Needs::Unlocked, State::Locked) => "locked",
        (Needs::Unlocked, State::Revoked) => "installation_revoked",
        _ => "invalid_params",
    }
}

/// One row of the matrix for each method; returns how many cells that were.
async fn check(
    raw: &mut Raw,
    who: &str,
    scopes: Option<&[Scope]>,
    state: State,
    expect_id: Option<&str>,
) -> Result<usize> {
    let hello = raw.call("system.hello", json!({})).await?;
    assert_eq!(
        hello["result"]["principal"].as_str(),
        expect_id,
        "{who} {state:?}"
    );
    let methods = openrpc::methods();
    for entry in &methods {
        let got = raw.outcome(entry.name, surplus()).await?;
        let promised = promised(entry, scopes, state);
        assert_eq!(got, promised, "{} by {who} while {state:?}", entry.name);
    }
    Ok(methods.len())
}

async fn check_state(alice: &Person, apps: &[Paired], state: State) -> Result<usize> {
    let socket = alice.endpoint.path();
    let mut owner = Raw::connect(socket).await?;
    let mut cells = check(
        &mut owner,
        "the owner",
        Some(&Scope::ALL),
        state,
        Some("owner"),
    )
    .await?;
    for app in apps {
        let mut raw = Raw::connect(socket).await?;
        let came_in = raw.call("session.authenticate", app.credentials()).await?;
        assert_eq!(came_in["result"]["principal"], app.id.as_str(), "{came_in}");
        let who = format!("an app with {:?}", app.scopes);
        cells += check(&mut raw, &who, Some(&app.scopes), state, Some(&app.id)).await?;
    }
    if can_be_another_user() {
        cells += check_strangers(alice, apps.first(), state).await?;
    }
    Ok(cells)
}

/// Another uid: without a token, with a wrong one, and (where there is an app) with its own.
async fn check_strangers(alice: &Person, app: Option<&Paired>, state: State) -> Result<usize> {
    let wrong = json!({"app_id": "00".repeat(16), "token": "11".repeat(32)});
    let mut cases = vec![
        (None, None, "a stranger"),
        (Some(wrong), None, "a pretender"),
    ];
    if let Some(app) = app {
        let forged = json!({"app_id": app.id, "token": "22".repeat(32)});
        cases.push((Some(forged), None, "a forger"));
        cases.push((
            Some(app.credentials()),
            Some(app.scopes.as_slice()),
            "an app of another user",
        ));
    }
    let mut cells = 0;
    for (credentials, scopes, who) in cases {
        let methods = openrpc::methods();
        let mut requests: Vec<(&str, Value)> = Vec::new();
        requests.extend(credentials.map(|shown| ("session.authenticate", shown)));
        let before = requests.len();
        requests.extend(methods.iter().map(|entry| (entry.name, surplus())));
        // Not in the contract: a stranger does not even learn that.
        requests.push(("no.such_method", json!({})));
        let answers = speak((NOBODY, NOBODY), alice.endpoint.path(), &requests).await?;
        ensure!(answers.len() == requests.len(), "{who}: {answers:?}");
        for (entry, answer) in methods.iter().zip(&answers[before..]) {
            let promised = promised(entry, scopes, state);
            assert_eq!(
                outcome(answer),
                promised,
                "{} by {who} while {state:?}",
                entry.name
            );
        }
        let unknown = if scopes.is_some() {
            "method_not_found"
        } else {
            "unauthenticated"
        };
        assert_eq!(outcome(&answers[requests.len() - 1]), unknown, "{who}");
        cells += requests.len();
    }
    Ok(cells)
}

async fn pair(alice: &Person, scopes: Vec<Scope>) -> Result<Paired> {
    let params = CreateParams {
        name: "matrix".into(),
        scopes: scopes.clone(),
        uid: None,
    };
    let created = alice.client.call::<Create>(params).await?;
    Ok(Paired {
        id: created.app_id,
        token: created.token.into_inner(),
        scopes,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_for_every_principal_in_every_state() -> Result<()> {
    let world = World::new().await?;
    let limits = Limits {
        // Strangers ask for everything there is, one thing after the other.
        authenticate_s: 60,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    for path in [world.path(), &alice.state_dir] {
        set_mode(path, 0o755)?;
    }
    set_mode(alice.endpoint.path(), 0o666)?;
    let mut cells = check_state(&alice, &[], State::Unenrolled).await?;

    alice
        .client
        .call::<Enroll>(world.enrollment("alice").await?)
        .await?;
    let mut apps = Vec::new();
    for scope in Scope::ALL {
        apps.push(pair(&alice, vec![scope]).await?);
        let others = Scope::ALL.into_iter().filter(|other| *other != scope);
        apps.push(pair(&alice, others.collect()).await?);
    }
    cells += check_state(&alice, &apps, State::Unlocked).await?;

    alice.client.call::<Lock>(Nothing {}).await?;
    cells += check_state(&alice, &apps, State::Locked).await?;
    alice.unlock().await?;
    let elsewhere = world.stranger("alice-again").await?;
    let mut enrollment = world.enrollment("alice").await?;
    enrollment.replace_existing_installation = true;
    elsewhere.client.call::<Enroll>(enrollment).await?;
    while alice.client.hello().await?.state != connect_api::system::State::Revoked {
        tokio::time::sleep(POLL).await;
    }
    cells += check_state(&alice, &apps, State::Revoked).await?;
    println!("access matrix: {cells} cells");
    let smallest = openrpc::methods().len() * (4 + 3 * apps.len());
    ensure!(cells >= smallest, "{cells} cells of at least {smallest}");
    Ok(())
}

fn set_mode(path: &std::path::Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(mode),
    )?)
}
