//! A full file system under a daemon, and under the relay: nothing acknowledged is lost, and it heals by itself.

use std::path::Path;

use anyhow::{Context as _, Result};
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_api::errors::ErrorCode;
use connect_api::messages::{Message, MessageState};
use connect_api::system::StorageTrouble;
use connect_tests::apart::{Apart, POLL, history, history_of};
use connect_tests::disks::SmallDisk;
use connect_tests::processes::start_relay;
use connect_tests::world::{Person, World};

const MIB: usize = 1 << 20;
const PAGE: u64 = 4096;
/// What a log and an index take before the log is written back, and then some.
const ROOM: usize = 8 * MIB;
const BALLAST: usize = 4 * MIB;

/// A text that needs room, and begins with its number.
fn long(number: usize) -> String {
    format!("{number:05} {}", "x".repeat(15_000))
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

/// Alice's disk is full, and so many of her messages were acknowledged before.
struct Full {
    disk: SmallDisk,
    alice: Apart,
    bob: Person,
    _world: World,
    acknowledged: Vec<String>,
}

impl Full {
    async fn new() -> Result<Option<Self>> {
        let world = World::new().await?;
        let Some(disk) = SmallDisk::mount(&world.path().join("alice"), ROOM as u64)? else {
            return Ok(None);
        };
        disk.occupy(BALLAST)?;
        let alice = Apart::new(&world, "alice", Vec::new()).await?;
        let bob = world.person("bob").await?;
        alice.adds("bob").await?;
        // He writes before he has read anything.
        let user_id = "alice".to_owned();
        bob.client.call::<Add>(UserParams { user_id }).await?;
        let mut acknowledged = Vec::new();
        let refused = loop {
            let text = long(acknowledged.len());
            match alice.sends("bob", &text, &text[..5]).await? {
                Ok(_) => acknowledged.push(text),
                Err(code) => break code,
            }
        };
        assert_eq!(refused, ErrorCode::StorageFull);
        assert!(acknowledged.len() > 20, "{}", acknowledged.len());
        // Whatever room is left for something small is taken too: the daemon's own small writes would tell that all is well.
        disk.fill_but(0)?;
        let text = long(acknowledged.len());
        for attempt in 1.. {
            assert!(attempt < 10, "nobody is told of the full disk");
            let refused = alice.sends("bob", &text, &text[..5]).await?;
            assert_eq!(refused, Err(ErrorCode::StorageFull));
            let health = alice.client.health().await?;
            if health.storage.trouble == Some(StorageTrouble::StorageFull) {
                break;
            }
        }
        Ok(Some(Self {
            disk,
            alice,
            bob,
            _world: world,
            acknowledged,
        }))
    }

    async fn bob_writes(&self, count: usize) -> Result<Vec<String>> {
        let alice = Conversation::User("alice".to_owned());
        let mut written = Vec::new();
        for number in 0..count {
            let text = long(number);
            let sent = self
                .bob
                .client
                .send_text(alice.clone(), text.as_str(), None);
            let sent = sent.await?;
            self.bob
                .sees_state(&sent.message_id, MessageState::Sent)
                .await?;
            written.push(text);
        }
        Ok(written)
    }

    /// Everything is on both sides once, each sender's in order.
    async fn all_is_there(&self, of_bob: &[String]) -> Result<()> {
        let count = self.acknowledged.len() + of_bob.len();
        let at_alice = history_of(&self.alice.client, "bob", count).await?;
        let at_bob = history_of(&self.bob.client, "alice", count).await?;
        for there in [at_alice, at_bob] {
            assert_eq!(there.len(), count);
            let (of_alice, of_others): (Vec<_>, Vec<_>) = there
                .into_iter()
                .partition(|message| message.author == "alice");
            assert_eq!(texts(&of_alice), self.acknowledged);
            assert_eq!(texts(&of_others), of_bob);
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_sends_serves_readers_and_heals_when_space_is_freed() -> Result<()> {
    let Some(mut full) = Full::new().await? else {
        return Ok(());
    };
    let of_bob = full.bob_writes(3).await?;
    let next = long(full.acknowledged.len());
    for _ in 0..3 {
        let refused = full.alice.sends("bob", &next, &next[..5]).await?;
        assert_eq!(refused, Err(ErrorCode::StorageFull));
    }
    let there = history(&full.alice.client, "bob").await?;
    assert_eq!(texts(&there), full.acknowledged);

    full.disk.free()?;
    full.alice
        .is(|health| health.storage.trouble.is_none())
        .await?;
    let first = full.alice.sends("bob", &next, &next[..5]).await?;
    let first = first.ok().context("there is room again")?;
    let again = full.alice.sends("bob", &next, &next[..5]).await?;
    assert_eq!(again, Ok(first));
    full.acknowledged.push(next);
    full.all_is_there(&of_bob).await?;
    full.alice.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_killed_on_a_full_disk_has_lost_nothing_that_it_acknowledged() -> Result<()> {
    let Some(mut full) = Full::new().await? else {
        return Ok(());
    };
    let of_bob = full.bob_writes(3).await?;
    full.alice.kill()?;
    full.alice.start()?;
    let refused = full.alice.unlock().await?;
    assert_eq!(refused, Err(ErrorCode::StorageFull), "no attempt is free");
    full.disk.free()?;
    assert_eq!(full.alice.unlock().await?, Ok(()));
    full.all_is_there(&of_bob).await?;
    full.alice.stop()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_on_a_full_disk_accepts_nothing_and_delivers_everything_later() -> Result<()> {
    let mut world = World::new().await?;
    let (alice, mut bob) = (world.person("alice").await?, world.person("bob").await?);
    alice.adds(&bob).await?;
    bob.stop().await;
    world.stop_relay().await;
    let Some(disk) = move_onto_small_disk(&world.relay_dir())? else {
        return Ok(());
    };
    let (relay, address) = start_relay(&world.relay_dir(), &world.relay_address())?;
    disk.fill_but(256 << 10)?;
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(alice.writes(&bob, &long(number)).await?);
    }
    alice.sees_state(&ids[0], MessageState::Sent).await?;
    // What did not fit is taken back, but the log has grown as far as it could.
    while disk.left()? >= PAGE {
        tokio::time::sleep(POLL).await;
    }
    let health = alice.client.health().await?;
    assert!(health.outbox.queued > 0, "there is no room for all of them");

    relay.kill()?;
    disk.free()?;
    let (relay, _) = start_relay(&world.relay_dir(), &address)?;
    for id in &ids {
        alice.sees_state(id, MessageState::Sent).await?;
    }
    bob.start().await?;
    bob.unlock().await?;
    let there = history_of(&bob.client, "alice", ids.len()).await?;
    let there: Vec<_> = there.into_iter().map(|it| it.message_id).collect();
    assert_eq!(there, ids);
    relay.stop()
}

fn move_onto_small_disk(dir: &Path) -> Result<Option<SmallDisk>> {
    let aside = dir.with_extension("aside");
    std::fs::rename(dir, &aside)?;
    let disk = SmallDisk::mount(dir, ROOM as u64)?;
    for entry in std::fs::read_dir(&aside)? {
        let entry = entry?;
        // The operators' socket is made anew.
        if !entry.file_type()?.is_file() {
            continue;
        }
        std::fs::copy(entry.path(), dir.join(entry.file_name()))?;
    }
    Ok(disk)
}
