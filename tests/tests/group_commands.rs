//! Groups by connectctl: made, changed, read and left, with the answers of a real daemon.

use anyhow::{Context as _, Result, ensure};
use connect_tests::processes::run;
use connect_tests::world::{Person, World};
use serde_json::{Value, json};

/// What the command says, and whether it succeeded.
fn attempt(person: &Person, arguments: &[&str]) -> Result<(bool, String)> {
    let socket = person.endpoint.path().to_str().context("a path")?;
    let output = run("connectctl", &[&["--socket", socket], arguments].concat())?;
    let told = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(told)?))
}

fn ctl(person: &Person, arguments: &[&str]) -> Result<Value> {
    let (succeeded, answer) = attempt(person, &[&["--json"], arguments].concat())?;
    ensure!(succeeded, "{arguments:?}: {answer}");
    Ok(serde_json::from_str(&answer)?)
}

fn roster(group: &Value) -> Value {
    let members = group["members"].as_array().into_iter().flatten();
    members
        .map(|member| json!([member["user_id"], member["role"]]))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_lives_by_its_commands() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let (bob, carol) = (world.person("bob").await?, world.person("carol").await?);
    for other in [&bob, &carol] {
        alice.adds(other).await?;
    }
    let made = ctl(&alice, &["groups", "create", "Ward 3", "bob"])?;
    let id = made["group"].as_str().context("an id")?;
    assert_eq!(
        roster(&made),
        json!([["alice", "admin"], ["bob", "member"]])
    );
    let added = ctl(&alice, &["groups", "add", id, "carol"])?;
    assert_eq!(added["revision"], 2);
    let promoted = ctl(&alice, &["groups", "promote", id, "carol"])?;
    assert_eq!(roster(&promoted)[2], json!(["carol", "admin"]));
    let renamed = ctl(&alice, &["groups", "rename", id, "Ward 3 B"])?;
    assert_eq!(renamed["name"], "Ward 3 B");
    let removed = ctl(&alice, &["groups", "remove", id, "bob"])?;
    assert_eq!(
        roster(&removed),
        json!([["alice", "admin"], ["carol", "admin"]])
    );

    let (succeeded, told) = attempt(&alice, &["groups", "show", &format!("group:{id}")])?;
    ensure!(succeeded, "{told}");
    for word in ["Ward 3 B", "alice", "carol", "admin", "Revision"] {
        ensure!(told.contains(word), "{word} in {told}");
    }
    ensure!(!told.contains("bob"), "{told}");
    let listed = ctl(&alice, &["groups", "list"])?;
    assert_eq!(listed["items"][0]["members"], 2);

    let left = ctl(&alice, &["groups", "leave", id])?;
    assert_eq!(left["standing"], "left");
    let (succeeded, told) = attempt(&alice, &["groups", "rename", id, "Ward 4"])?;
    ensure!(!succeeded && !told.contains("Ward 4"), "{told}");
    let (succeeded, _) = attempt(&alice, &["groups", "show", &"0".repeat(32)])?;
    ensure!(!succeeded, "there is no such group");
    Ok(())
}
