//! A disk that answers EIO: nothing is acknowledged that is not durable, what was refused stays so, and it heals.

use anyhow::{Context as _, Result};
use connect_api::conversation::Conversation;
use connect_api::errors::ErrorCode;
use connect_api::messages::Message;
use connect_api::system::{Integrity, StorageTrouble};
use connect_tests::apart::{Apart, history, history_of};
use connect_tests::disks::FailingDisk;
use connect_tests::world::{Person, World};

struct Story {
    _world: World,
    alice: Apart,
    bob: Person,
    disk: FailingDisk,
}

impl Story {
    async fn new() -> Result<Self> {
        let world = World::new().await?;
        let disk = FailingDisk::new(world.path(), &world.path().join("alice"))?;
        let alice = Apart::new(&world, "alice", disk.environment()).await?;
        let bob = world.person("bob").await?;
        alice.adds("bob").await?;
        Ok(Self {
            _world: world,
            alice,
            bob,
            disk,
        })
    }

    async fn sent(&self, text: &str) -> Result<String> {
        let sent = self.alice.sends("bob", text, text).await?;
        sent.ok().with_context(|| format!("{text} was refused"))
    }

    async fn refused(&self, text: &str) -> Result<()> {
        let refused = self.alice.sends("bob", text, text).await?;
        assert_eq!(refused, Err(ErrorCode::StorageFailed), "{text}");
        Ok(())
    }

    /// Both sides have just these, in this order.
    async fn both_have(&self, texts: &[&str], last: &str) -> Result<()> {
        self.bob.receives(last).await?;
        assert_eq!(said(&history(&self.bob.client, "alice").await?), texts);
        assert_eq!(said(&self.alice.reads("bob").await?), texts);
        Ok(())
    }
}

fn said(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_for_a_failed_sync_is_gone_after_a_kill_and_what_was_acknowledged_is_there()
-> Result<()> {
    let mut story = Story::new().await?;
    for text in ["one", "two", "three"] {
        story.sent(text).await?;
    }
    story.disk.fail_syncs()?;
    for text in ["four", "five", "six"] {
        story.refused(text).await?;
    }
    let health = story.alice.client.health().await?;
    assert_eq!(health.storage.trouble, Some(StorageTrouble::StorageFailed));
    assert_eq!(
        said(&story.alice.reads("bob").await?),
        ["one", "two", "three"]
    );

    story.alice.kill()?;
    story.disk.work();
    story.alice.restart_unlocked().await?;
    let health = story
        .alice
        .is(|health| matches!(health.storage.integrity, Integrity::Ok | Integrity::Damaged))
        .await?;
    assert_eq!(health.storage.integrity, Integrity::Ok);
    assert_eq!(health.storage.trouble, None);
    let last = story.sent("seven").await?;
    story
        .both_have(&["one", "two", "three", "seven"], &last)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_works_again_is_used_again_and_a_repeat_doubles_nothing() -> Result<()> {
    let mut story = Story::new().await?;
    story.sent("one").await?;
    story.disk.fail_syncs()?;
    story.refused("two").await?;
    story.refused("two").await?;
    story.disk.work();
    let health = story
        .alice
        .is(|health| health.storage.trouble.is_none() && health.storage.integrity == Integrity::Ok)
        .await?;
    assert_eq!(health.outbox.queued, 0, "one is all there was");
    let two = story.sent("two").await?;
    assert_eq!(story.sent("two").await?, two);
    story.disk.fail_writes()?;
    story.refused("three").await?;
    story.disk.work();
    story
        .alice
        .is(|health| health.storage.trouble.is_none())
        .await?;
    story.sent("three").await?;

    story.alice.kill()?;
    story.alice.restart_unlocked().await?;
    let three = story.sent("three").await?;
    story.both_have(&["one", "two", "three"], &three).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_meanwhile_waits_at_the_relay_and_comes_once() -> Result<()> {
    let mut story = Story::new().await?;
    let hello = story.sent("hello").await?;
    story.bob.receives(&hello).await?;
    story.disk.fail_syncs()?;
    let alice = Conversation::User("alice".to_owned());
    for text in ["a", "b", "c"] {
        story
            .bob
            .client
            .send_text(alice.clone(), text, None)
            .await?;
    }
    story
        .alice
        .is(|health| health.storage.trouble.is_some())
        .await?;
    story.alice.kill()?;
    story.disk.work();
    story.alice.restart_unlocked().await?;
    let there = history_of(&story.alice.client, "bob", 4).await?;
    assert_eq!(said(&there), ["hello", "a", "b", "c"]);
    Ok(())
}
