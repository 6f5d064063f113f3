//! A database in which a page is not what was written: it says so, and what can be read is read.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context as _, Result};
use connect_api::errors::ErrorCode;
use connect_api::messages::{Get, MessageParams};
use connect_api::system::Integrity;
use connect_tests::apart::Apart;
use connect_tests::world::{World, refusal};

const PAGE: u64 = 4096;

struct Story {
    _world: World,
    alice: Apart,
    sent: Vec<String>,
}

/// Alice has written messages that take several pages each and wait for the relay, and her daemon was stopped.
async fn stopped() -> Result<Story> {
    let mut world = World::new().await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    let _bob = world.person("bob").await?;
    alice.adds("bob").await?;
    // What has been sent leaves free pages behind, and without those nothing can be written.
    world.stop_relay().await;
    let mut sent = Vec::new();
    for number in 0..40 {
        let text = format!("{number:05} {}", "x".repeat(15_000));
        let id = alice.sends("bob", &text, &text[..5]).await?;
        sent.push(id.ok().context("it was sent")?);
    }
    alice.stop()?;
    Ok(Story {
        _world: world,
        alice,
        sent,
    })
}

impl Story {
    fn database(&self) -> Result<File> {
        let path = self.alice.state_dir.join("account/messages.db");
        Ok(File::options().read(true).write(true).open(path)?)
    }

    /// Flips a byte in each page of the middle of the file: a message and its envelope take nine.
    fn damage(&self) -> Result<()> {
        let database = self.database()?;
        let pages = database.metadata()?.len() / PAGE;
        for page in pages / 2 - 14..pages / 2 {
            let place = page * PAGE + 1000;
            let mut byte = [0];
            database.read_exact_at(&mut byte, place)?;
            database.write_all_at(&[byte[0] ^ 1], place)?;
        }
        Ok(())
    }

    /// How many can be read, and how many cannot.
    async fn read_all(&self) -> Result<(usize, usize)> {
        let (mut whole, mut damaged) = (0, 0);
        for id in &self.sent {
            let message_id = id.clone();
            match self
                .alice
                .client
                .call::<Get>(MessageParams { message_id })
                .await
            {
                Ok(_) => whole += 1,
                refused => {
                    assert_eq!(refusal(refused)?, ErrorCode::StorageFailed);
                    damaged += 1;
                }
            }
        }
        Ok((whole, damaged))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_page_is_told_after_an_unclean_stop_and_only_its_messages_are_lost() -> Result<()>
{
    let mut story = stopped().await?;
    story.damage()?;
    story.alice.restart_unlocked().await?;
    let health = story.alice.client.health().await?;
    assert_eq!(health.storage.integrity, Integrity::Unchecked);
    story.alice.kill()?;
    story.alice.restart_unlocked().await?;
    let checked = |integrity| matches!(integrity, Integrity::Ok | Integrity::Damaged);
    let health = story
        .alice
        .is(|health| checked(health.storage.integrity))
        .await?;
    assert_eq!(health.storage.integrity, Integrity::Damaged);
    let (whole, damaged) = story.read_all().await?;
    assert!(whole >= 30 && damaged >= 1, "{whole} {damaged}");
    story.alice.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_meets_a_damaged_page_has_the_rest_looked_at() -> Result<()> {
    let mut story = stopped().await?;
    story.damage()?;
    story.alice.restart_unlocked().await?;
    let (whole, damaged) = story.read_all().await?;
    assert!(whole >= 30 && damaged >= 1, "{whole} {damaged}");
    story
        .alice
        .is(|health| health.storage.integrity == Integrity::Damaged)
        .await?;
    let sent = story.alice.sends("bob", "after all", "after all").await?;
    assert!(sent.is_ok(), "what is not damaged goes on: {sent:?}");
    story.alice.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_kill_is_followed_by_a_check_and_a_clean_stop_by_none() -> Result<()> {
    let mut story = stopped().await?;
    story.alice.restart_unlocked().await?;
    let health = story.alice.client.health().await?;
    assert_eq!(health.storage.integrity, Integrity::Unchecked);
    story.alice.kill()?;
    story.alice.restart_unlocked().await?;
    story
        .alice
        .is(|health| health.storage.integrity == Integrity::Ok)
        .await?;
    assert_eq!(story.read_all().await?, (story.sent.len(), 0));
    story.alice.stop()
}
