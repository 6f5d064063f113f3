//! Daemons and relays that end in the middle of a transfer: it goes on where it was, and nothing is sealed twice.
//!
//! `CONNECT_ATTACHMENT_BYTES` and `CONNECT_ATTACHMENT_KILLS` make the story longer than every change has to tell it, and
//! `CONNECT_ATTACHMENT_SEED` puts the kills elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use connect_api::conversation::Conversation;
use connect_core::attachment::SEALED_CHUNK;
use connect_proto::hash::{Digest, sha256};
use connect_tests::apart::{Apart, POLL};
use connect_tests::attachments::{CHUNK, download, film, kept, name, standing, upload};
use connect_tests::fake_relay::FakeRelay;
use connect_tests::relay_apart::RelayApart;
use connect_tests::tally::{Ledger, Way};
use connect_tests::world::World;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng as _};
use tokio::time::timeout;

/// A film that takes a while, on a machine that does other things.
const PATIENCE: Duration = Duration::from_mins(10);
/// Chunks that a daemon has on their way at once.
const AT_ONCE: usize = 3;

fn from_environment(name: &str, otherwise: usize) -> Result<usize> {
    Ok(match std::env::var(name) {
        Ok(number) => number.parse()?,
        Err(_) => otherwise,
    })
}

fn size() -> Result<usize> {
    from_environment("CONNECT_ATTACHMENT_BYTES", 24 * CHUNK + 77)
}

fn kills() -> Result<usize> {
    from_environment("CONNECT_ATTACHMENT_KILLS", 2)
}

fn to(name: &str) -> Conversation {
    Conversation::User(name.to_owned())
}

/// The relay of this story remembers every chunk that it ever got.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_upload_sends_what_is_left_as_it_was_sealed() -> Result<()> {
    let mut world = World::new().await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    let bob = world.person("bob").await?;
    alice.adds("bob").await?;
    drop(bob);
    let (size, kills) = (size()?, kills()?);
    let chunks = size.div_ceil(CHUNK);
    let uploaded = upload(&alice.client, &film(size, "knee"), "knee.dcm").await?;
    let id = uploaded.attachment_id;
    let relay = FakeRelay::in_place_of(&mut world).await?;
    let sent = name(&alice.client, to("bob"), &id, None).await?;
    for kill in 1..=kills {
        // Somewhere between the first chunk and the last.
        let puts = relay.puts(1 + (chunks - 1) * kill / (kills + 1)).await;
        ensure!(puts.len() <= chunks + AT_ONCE * kill, "{}", puts.len());
        alice.kill()?;
        alice.restart_unlocked().await?;
    }
    let envelope = timeout(PATIENCE, relay.sent()).await?;
    assert_eq!(hex::encode(&envelope.message_id), sent.message_id);
    let puts = relay.puts(chunks).await;
    let mut digests: BTreeMap<String, BTreeSet<[u8; 32]>> = BTreeMap::new();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for (path, digest) in &puts {
        digests.entry(path.clone()).or_default().insert(*digest);
        *times.entry(path.clone()).or_default() += 1;
    }
    assert_eq!(digests.len(), chunks, "every chunk was sent");
    assert!(
        digests.values().all(|digests| digests.len() == 1),
        "no index was ever sealed over other bytes, or twice"
    );
    let again: usize = times.values().map(|times| times - 1).sum();
    let order: Vec<_> = puts
        .iter()
        .filter_map(|(path, _)| path.rsplit('/').next())
        .collect();
    assert!(
        again <= AT_ONCE * kills,
        "{again} chunks were sent again: {order:?}"
    );
    Ok(())
}

/// Who ends.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Daemon,
    Relay,
}

/// A daemon and the relay are killed in turns that a seed decides, at places in the transfer that it decides too: one
/// in each of as many parts, and never so late that nothing is left to be lost.
fn plan(
    chunks: usize,
    daemon: usize,
    relay: usize,
    rng: &mut impl RngCore,
) -> Vec<(usize, Victim)> {
    let mut victims = vec![Victim::Daemon; daemon];
    victims.extend(vec![Victim::Relay; relay]);
    let mut below = |count: usize| rng.next_u32() as usize % count.max(1);
    for last in (1..victims.len()).rev() {
        victims.swap(last, below(last + 1));
    }
    let part = (chunks - 2 * AT_ONCE) / victims.len();
    let numbered = victims.into_iter().enumerate();
    numbered
        .map(|(number, victim)| (number * part + below(part), victim))
        .collect()
}

/// Three processes, each killed again and again while chunks are on their way: every one of them is lost once, and goes
/// once more; none goes that was not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_film_arrives_whole_whoever_is_killed() -> Result<()> {
    let mut world = World::new().await?;
    let mut alice = Apart::new(&world, "alice", Vec::new()).await?;
    let mut bob = Apart::new(&world, "bob", Vec::new()).await?;
    alice.adds("bob").await?;
    let mut relay = RelayApart::in_place_of(&mut world).await?;
    let (size, kills) = (size()?, kills()?);
    let chunks = size.div_ceil(CHUNK);
    let mut rng =
        ChaCha12Rng::seed_from_u64(from_environment("CONNECT_ATTACHMENT_SEED", 1)? as u64);
    let up = plan(chunks, kills, kills.div_ceil(2), &mut rng);
    let down = plan(chunks, kills, kills / 2, &mut rng);

    let bytes = film(size, "knee");
    let id = upload(&alice.client, &bytes, "knee.dcm")
        .await?
        .attachment_id;
    let sealed = Sealed::of(&alice)?;
    relay.tally.holds_at(Way::Up, up[0].0);
    name(&alice.client, to("bob"), &id, None).await?;
    die_in_turn(&mut alice, &mut relay, Way::Up, &up).await?;
    timeout(PATIENCE, arrived(&bob, &id)).await??;
    assert_eq!(Sealed::of(&alice)?, sealed, "nothing is sealed anew");

    relay.tally.holds_at(Way::Down, down[0].0);
    let fetching = {
        let (client, id) = (bob.client.clone(), id.clone());
        tokio::spawn(async move { download(&client, &id, 0).await })
    };
    die_in_turn(&mut bob, &mut relay, Way::Down, &down).await?;
    drop(fetching.await?);
    let got = timeout(PATIENCE, download(&bob.client, &id, 0)).await??;
    assert!(got == bytes);
    assert_eq!(kept(&bob.state_dir)?.len(), 1);
    for (way, plan) in [(Way::Up, &up), (Way::Down, &down)] {
        let told = relay
            .tally
            .read(|ledger| account(ledger, way, &sealed, plan.len()))?;
        println!("{way:?}: {chunks} chunks, {told}, {} kills", plan.len());
    }
    Ok(())
}

/// Each at its place, with as many chunks on their way as the daemon ever has.
async fn die_in_turn(
    daemon: &mut Apart,
    relay: &mut RelayApart,
    way: Way,
    plan: &[(usize, Victim)],
) -> Result<()> {
    for (number, (place, victim)) in plan.iter().enumerate() {
        let held = timeout(PATIENCE, relay.tally.has_held(AT_ONCE)).await;
        held.with_context(|| format!("{way:?}: nothing is held at {place}"))??;
        match victim {
            Victim::Daemon => daemon.kill()?,
            Victim::Relay => relay.kill()?,
        }
        relay.tally.cut().await?;
        if let Some((next, _)) = plan.get(number + 1) {
            relay.tally.holds_at(way, *next);
        }
        match victim {
            Victim::Daemon => daemon.restart_unlocked().await?,
            Victim::Relay => relay.start()?,
        }
    }
    Ok(())
}

/// What lies at its owner, once it was sealed.
#[derive(Debug, PartialEq, Eq)]
struct Sealed {
    chunks: Vec<Digest>,
    /// Which file, and when it was last written.
    written: (u64, i64, i64),
}

impl Sealed {
    fn of(daemon: &Apart) -> Result<Self> {
        let files = kept(&daemon.state_dir)?;
        let [file] = files.as_slice() else {
            bail!("one attachment is one file");
        };
        let about = std::fs::metadata(file)?;
        let chunks = std::fs::read(file)?;
        Ok(Self {
            chunks: chunks.chunks(SEALED_CHUNK).map(sha256).collect(),
            written: (about.ino(), about.mtime(), about.mtime_nsec()),
        })
    }
}

/// Holds what was on the wire against what may have been, and tells what was.
fn account(ledger: &Ledger, way: Way, sealed: &Sealed, kills: usize) -> Result<String> {
    let passages = ledger.passages.iter().filter(|passage| passage.way == way);
    for passage in passages {
        if let Some(digest) = passage.digest {
            let index = usize::try_from(passage.index)?;
            let one = sealed.chunks.get(index - 1);
            ensure!(one == Some(&digest), "chunk {index} was sealed once");
        }
    }
    let times = ledger.times(way);
    ensure!(times.len() == sealed.chunks.len(), "every chunk was sent");
    ensure!(ledger.passed(way) == times.len(), "and arrived");
    ensure!(
        !ledger.has_repeated_within_an_epoch(way),
        "only a kill has one sent again"
    );
    ensure!(
        times.values().all(|times| *times <= 2),
        "at most once more: {times:?}"
    );
    let sent: usize = times.values().sum();
    let again = sent - times.len();
    ensure!(
        again == AT_ONCE * kills,
        "those on their way go once more: {again}"
    );
    Ok(format!("{sent} sent, {again} of them again"))
}

/// Waits until the message came that names it.
async fn arrived(daemon: &Apart, id: &str) -> Result<()> {
    while standing(&daemon.client, id).await.is_err() {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
