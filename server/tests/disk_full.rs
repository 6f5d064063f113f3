//! A full disk: nothing is accepted that is not kept, and it heals without a restart.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::film::{Film, files};
use crate::support::{User, World};
use connect_proto::wire;
use connect_relay::limits::Limits;
use tempfile::TempDir;

/// A small file system of its own, gone with the test.
struct Small(PathBuf);

impl Small {
    /// None where mounting is not permitted.
    fn mount(dir: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "connect-relay-test"]);
        let mounted = mount.arg(dir).status().ok()?.success();
        mounted.then(|| Self(dir.to_owned()))
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut ballast = std::fs::File::create(&path).unwrap();
        for len in [4096, 1] {
            while ballast.write_all(&vec![7; len]).is_ok() {}
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn numbered(alice: &User, number: u64) -> wire::Envelope {
    wire::Envelope {
        message_id: u128::from(number).to_be_bytes().to_vec(),
        ..alice.envelope(1, &["bob"])
    }
}

async fn received(world: &World, bob: &User) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut waiting = bob.waiting(world).await;
    while !waiting.is_empty() {
        numbers.extend(waiting.iter().map(|envelope| {
            let id: [u8; 16] = envelope.message_id.as_slice().try_into().unwrap();
            u64::try_from(u128::from_be_bytes(id)).unwrap()
        }));
        waiting = bob.acknowledge(world, &waiting).await;
    }
    numbers
}

#[tokio::test]
async fn a_full_disk_refuses_for_a_while_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        assert!(!rustix::process::geteuid().is_root() || std::env::var_os("CI").is_none());
        return;
    };
    let mut world = World::on(dir, Limits::default()).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let mut accepted = BTreeSet::new();
    let mut number = 0;
    for _ in 0..3 {
        let ballast = small.fill();
        let mut refused = 0;
        while refused < 5 {
            number += 1;
            let answer = alice.send(&world, &numbered(&alice, number)).await;
            match answer.status.as_u16() {
                204 => assert!(accepted.insert(number)),
                503 => {
                    assert!(answer.is(503, "unavailable"));
                    assert_eq!(answer.retry_after.as_deref(), Some("30"));
                    refused += 1;
                }
                other => panic!("{other}"),
            }
        }
        std::fs::remove_file(ballast).unwrap();
        assert!(world.relay.sweep().await.is_ok());
        number += 1;
        let answer = alice.send(&world, &numbered(&alice, number)).await;
        assert_eq!(answer.status, 204, "it heals by itself");
        accepted.insert(number);
    }
    let world = world.restarted().await;
    let received = received(&world, &bob).await;
    assert_eq!(received, accepted.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_disk_takes_no_chunk_says_so_and_heals_by_itself() {
    let dir = TempDir::new().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        assert!(!rustix::process::geteuid().is_root() || std::env::var_os("CI").is_none());
        return;
    };
    let films = dir.path().join("films");
    let mut world = World::configured(&format!(
        "[attachments]\ndirectory = \"{}\"",
        films.display()
    ))
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 0, 100_000, &["bob"]);
    assert_eq!(film.create(&world, &alice).await.status, 204);
    for _ in 0..3 {
        let ballast = small.fill();
        for _ in 0..3 {
            let refused = film.put(&world, &alice, 1).await;
            assert!(refused.is(507, "store_full"), "{}", refused.status);
            assert_eq!(refused.retry_after.as_deref(), Some("30"));
        }
        assert!(
            files(&films).is_empty(),
            "nothing is left of what did not fit"
        );
        // Messages lie elsewhere.
        let envelope = alice.envelope(1, &["bob"]);
        assert_eq!(alice.send(&world, &envelope).await.status, 204);
        std::fs::remove_file(ballast).unwrap();
    }
    assert_eq!(film.put(&world, &alice, 1).await.status, 204);
    assert!(film.is_read_by(&world, &bob).await);
    // Deleting takes no room where the chunks lie.
    let ballast = small.fill();
    assert_eq!(film.delete(&world, &alice).await.status, 204);
    world.relay.sweep().await.unwrap();
    assert!(files(&films).is_empty());
    std::fs::remove_file(ballast).unwrap();
    world.relay.shutdown().await;
}
