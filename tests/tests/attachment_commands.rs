//! Files by connectctl: sent with a message, saved where it was said and nowhere else.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use connect_tests::attachments::{CHUNK, film};
use connect_tests::processes::run;
use connect_tests::world::{Person, World};
use serde_json::Value;

/// The command's answer in JSON; an error where it failed.
fn ctl(person: &Person, arguments: &[&str]) -> Result<Value> {
    let (succeeded, answer) = attempt(person, arguments)?;
    ensure!(succeeded, "{arguments:?}: {answer}");
    Ok(serde_json::from_str(&answer)?)
}

fn attempt(person: &Person, arguments: &[&str]) -> Result<(bool, String)> {
    let socket = person.endpoint.path().to_str().context("a path")?;
    let all = [&["--socket", socket, "--json"], arguments].concat();
    let output = run("connectctl", &all)?;
    let told = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(told)?))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_sent_and_saved_and_overwrites_nothing() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    let bytes = film(2 * CHUNK + 3, "left knee");
    let file = world.path().join("knee.dcm");
    std::fs::write(&file, &bytes)?;
    let sent = ctl(
        &alice,
        &[
            "send",
            "bob",
            "--attach",
            text(&file),
            "left",
            "--wait",
            "sent",
        ],
    )?;
    let message = sent["message_id"].as_str().context("an id")?;
    let attached = bob.receives(message).await?.attachment.context("one")?;
    assert_eq!(attached.media_type, "application/dicom");
    let id = attached.attachment_id.as_str();

    let into = world.path().join("into");
    std::fs::create_dir(&into)?;
    let saved = ctl(&bob, &["attachments", "save", id, text(&into)])?;
    let written = into.join("knee.dcm");
    assert_eq!(saved["file"], text(&written));
    assert!(std::fs::read(&written)? == bytes);

    std::fs::write(&written, "something else")?;
    let (succeeded, _) = attempt(&bob, &["attachments", "save", id, text(&written)])?;
    assert!(!succeeded, "it is there already");
    assert_eq!(std::fs::read(&written)?, b"something else");
    ctl(
        &bob,
        &["attachments", "save", id, text(&written), "--force"],
    )?;
    assert!(std::fs::read(&written)? == bytes);
    assert_eq!(std::fs::read_dir(&into)?.count(), 1, "nothing half is left");

    let listed = ctl(&bob, &["attachments", "list", "alice"])?;
    assert_eq!(listed["items"][0]["attachment_id"], id);
    let shown = ctl(&bob, &["attachments", "show", id])?;
    assert_eq!(shown["state"], "ready");
    let discarded = ctl(&bob, &["attachments", "discard", id])?;
    assert_eq!(discarded["state"], "available");
    let (succeeded, _) = attempt(&bob, &["attachments", "cancel", id])?;
    assert!(!succeeded, "nothing is under way");
    Ok(())
}

/// Whatever its sender calls it, it lands in the directory that was named.
#[tokio::test(flavor = "multi_thread")]
async fn a_senders_name_does_not_lead_out_of_the_directory() -> Result<()> {
    let world = World::new().await?;
    let (alice, bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    let into = world.path().join("deep").join("into");
    std::fs::create_dir_all(&into)?;
    for (name, safe) in [
        ("../../x", "x"),
        ("..", "attachment"),
        ("/etc/x\u{202e}fdp", "xfdp"),
    ] {
        let [message, id] = connect_tests::attachments::send(&alice, &bob, b"x", name).await?;
        bob.receives(&message).await?;
        let saved = ctl(&bob, &["attachments", "save", &id, text(&into), "--force"])?;
        assert_eq!(saved["file"], text(&into.join(safe)), "{name}");
        assert_eq!(std::fs::read(into.join(safe))?, b"x");
    }
    assert!(!world.path().join("x").exists());
    Ok(())
}
