//! What the README promises: its plugin in ten lines works as it stands there.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use connect_api::events::EventBody;
use connect_tests::world::World;

const README: &str = include_str!("../../README.md");

/// The one block of the README in this language.
fn block(language: &str) -> Result<String> {
    let begin = format!("```{language}\n");
    let (_, rest) = README.split_once(&begin).context("no such block")?;
    let (block, _) = rest.split_once("```").context("the block does not end")?;
    Ok(block.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_in_ten_lines_sends_a_message_once() -> Result<()> {
    let world = World::new().await?;
    let ward = world.person("ward-ehr").await?;
    let noor = world.person("dr.noor").await?;
    ward.adds(&noor).await?;
    let plugin = block("python")?;
    assert!(plugin.lines().count() <= 11, "ten lines, or nearly");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let output = Command::new("python3")
            .arg("-c")
            .arg(&plugin)
            .arg(ward.endpoint.path())
            .stderr(Stdio::inherit())
            .output()?;
        assert!(output.status.success());
        ids.push(String::from_utf8(output.stdout)?.trim().to_owned());
    }
    assert_eq!(ids[0], ids[1], "the same client_ref is the same message");
    let received = noor.receives(&ids[0]).await?;
    assert_eq!(received.text, "Bed 4: the potassium is back");
    assert_eq!(noor.reads(&ward).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_told_by_the_plugin_too() -> Result<()> {
    let world = World::new().await?;
    let ward = world.person("ward-ehr").await?;
    let output = Command::new("python3")
        .arg("-c")
        .arg(block("python")?)
        .arg(ward.endpoint.path())
        .output()?;
    let told = String::from_utf8(output.stdout)?;
    assert_eq!(told.trim(), "The user is not a contact: add it first");
    let quiet = ward
        .sees(|body| matches!(body, EventBody::SessionUnlocked {}))
        .await;
    assert!(quiet.is_ok(), "the daemon lives on");
    Ok(())
}

#[test]
fn every_document_that_the_readme_points_to_is_there() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let links = README.split("](").skip(1);
    for link in links.filter_map(|rest| rest.split(')').next()) {
        if !link.starts_with("http") {
            let path = format!("{root}/{link}");
            assert!(std::path::Path::new(&path).exists(), "{link}");
        }
    }
}
