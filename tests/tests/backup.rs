//! A backup (§4.2) is everything that was committed by one moment, for the recovery key alone, and not a byte else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use connect_api::account;
use connect_api::audit;
use connect_api::errors::ErrorCode;
use connect_api::events::EventBody;
use connect_api::messages::{MessageState, Send, SendParams};
use connect_api::page::Nothing;
use connect_service::backup::read::Opener;
use connect_tests::backups::{
    Backup, new_machine, recoverable, recovery_key, scratch_is_empty, take, verify, why,
};
use connect_tests::disks::SmallDisk;
use connect_tests::world::{Person, World, refusal};
use connect_vault::recovery::RecoveryKey;

const TEXT: &str = "canary-text: potassium 6.1, bed 4";

/// Sends for as long as it is told to, and then a few more; returns the ids in their order.
async fn sends_until(
    alice: Arc<Person>,
    done: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
) -> Result<()> {
    let mut left = 5;
    for number in 0.. {
        left -= u32::from(done.load(Ordering::SeqCst));
        if left == 0 {
            return Ok(());
        }
        let params = SendParams {
            conversation: connect_api::conversation::Conversation::User("bob".to_owned()),
            text: Some(format!("{TEXT} {number}")),
            attachment: None,
            reply_to: None,
            client_ref: None,
        };
        alice.client.call::<Send>(params).await?;
        count.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Every message that there was a first event of by then.
async fn committed_by(alice: &Person, event_id: u64, last: u64) -> Result<BTreeSet<String>> {
    let mut committed = BTreeSet::new();
    let mut events = alice.events();
    while let Some(event) = events.next().await {
        let event = event?;
        if event.event_id <= event_id
            && let EventBody::MessageState {
                message_id,
                state: MessageState::Queued,
                ..
            } = &event.body
        {
            committed.insert(message_id.clone());
        }
        if event.event_id >= last {
            break;
        }
    }
    Ok(committed)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_it_restores_to_exactly_what_was_committed_by_its_time() -> Result<()> {
    let world = World::new().await?;
    let key = recovery_key(1);
    let alice = Arc::new(recoverable(&world, "alice", &key).await?);
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    let (done, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut load = Vec::new();
    for _ in 0..3 {
        load.push(tokio::spawn(sends_until(
            Arc::clone(&alice),
            Arc::clone(&done),
            Arc::clone(&count),
        )));
    }
    while count.load(Ordering::SeqCst) < 60 {
        tokio::task::yield_now().await;
    }
    let backup = take(&alice.client).await?;
    done.store(true, Ordering::SeqCst);
    for task in load {
        task.await??;
    }
    let last = alice.client.health().await?.events.last_event_id;
    let committed = committed_by(&alice, backup.taken_at.event_id, last).await?;
    let all = alice.reads(&bob).await?;
    ensure!(committed.len() >= 60 && committed.len() < all.len());

    let (again, contents) = new_machine(&world, "alice", "alice-2", &backup, &key).await?;
    let restored = again.reads(&bob).await?;
    let expected: Vec<_> = all
        .iter()
        .filter(|message| committed.contains(&message.message_id))
        .map(|message| (&message.message_id, &message.text, message.sent_ms))
        .collect();
    let found: Vec<_> = restored
        .iter()
        .map(|message| (&message.message_id, &message.text, message.sent_ms))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(contents.messages, committed.len() as u64);
    assert_eq!(contents.taken_at, backup.taken_at);
    ensure!(contents.audit.intact && contents.audit.entries > 60);
    let verdict = again.client.call::<audit::Verify>(Nothing {}).await?;
    ensure!(verdict.intact && verdict.entries >= contents.audit.entries);
    // The live one was not harmed.
    ensure!(scratch_is_empty(&alice.state_dir)? && scratch_is_empty(&again.state_dir)?);
    Ok(())
}

/// A small one with a few messages in it.
async fn small(world: &World) -> Result<(Person, Person, Backup)> {
    let alice = recoverable(world, "alice", &recovery_key(1)).await?;
    let bob = world.person("bob").await?;
    alice.adds(&bob).await?;
    for number in 0..5 {
        alice.writes(&bob, &format!("{TEXT} {number}")).await?;
    }
    let backup = take(&alice.client).await?;
    Ok((alice, bob, backup))
}

/// As the daemon reads it.
fn opens(bytes: &[u8], seed: u64) -> bool {
    let key = recovery_key(seed).bytes().expect("a recovery key");
    let mut opener = Opener::new(RecoveryKey::from_bytes(&key), bytes.len() as u64);
    let mut database = Vec::new();
    bytes
        .chunks(9_999)
        .all(|piece| opener.push(piece, &mut database).is_ok())
        && opener.finish().is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_that_is_another_anywhere_is_refused() -> Result<()> {
    let world = World::new().await?;
    let (alice, _bob, backup) = small(&world).await?;
    let whole = backup.bytes;
    ensure!(opens(&whole, 1), "it is whole");
    let sealed_chunk = connect_core::backup::SEALED_CHUNK;
    let json_length = u32::from_le_bytes(whole[20..24].try_into()?);
    let header = 24 + usize::try_from(json_length)?;
    ensure!(whole.len() > header + 2 * sealed_chunk, "several chunks");
    let mut places: Vec<usize> = (0..header).collect();
    for chunk in (header..whole.len()).step_by(sealed_chunk) {
        let end = (chunk + sealed_chunk).min(whole.len());
        places.extend([
            chunk,
            chunk + 15,
            chunk + 16,
            usize::midpoint(chunk, end),
            end - 1,
        ]);
    }
    for place in places {
        for bit in [1, 0x20, 0x80] {
            let mut changed = whole.clone();
            changed[place] ^= bit;
            ensure!(!opens(&changed, 1), "byte {place}, bit {bit}");
        }
    }
    // The daemon says so too, and nothing of it stays.
    for place in [header / 2, header + sealed_chunk + 99, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        let refused = verify(&alice.client, &changed, &recovery_key(1)).await;
        assert_eq!(refusal(refused)?, ErrorCode::Invalid, "byte {place}");
        ensure!(scratch_is_empty(&alice.state_dir)?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_extended_reordered_and_mixed_ones_are_refused() -> Result<()> {
    let world = World::new().await?;
    let (alice, _bob, backup) = small(&world).await?;
    let other = take(&alice.client).await?.bytes;
    let whole = backup.bytes;
    let chunk = connect_core::backup::SEALED_CHUNK;
    let header = 24 + usize::try_from(u32::from_le_bytes(whole[20..24].try_into()?))?;
    let (first, second) = (header..header + chunk, header + chunk..header + 2 * chunk);
    for length in [
        0,
        1,
        16,
        23,
        header - 1,
        header,
        header + chunk,
        header + 2 * chunk,
        whole.len() - 1,
    ] {
        ensure!(!opens(&whole[..length], 1), "cut to {length}");
    }
    for more in [&[0][..], &whole[header..], &whole] {
        ensure!(
            !opens(&[&whole, more].concat(), 1),
            "longer by {}",
            more.len()
        );
    }
    let mut reordered = whole[..header].to_vec();
    reordered.extend_from_slice(&whole[second.clone()]);
    reordered.extend_from_slice(&whole[first.clone()]);
    reordered.extend_from_slice(&whole[second.end..]);
    ensure!(!opens(&reordered, 1), "reordered");
    let left_out = [&whole[..first.end], &whole[second.end..]].concat();
    ensure!(!opens(&left_out, 1), "a chunk left out");
    // Of two backups of one account, neither header goes with the other's chunks.
    let length = whole.len().min(other.len());
    let mixed = [&other[..header], &whole[header..length]].concat();
    ensure!(opens(&other, 1) && !opens(&mixed, 1), "mixed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_it_is_told_apart() -> Result<()> {
    let world = World::new().await?;
    let (alice, _bob, backup) = small(&world).await?;
    let client = &alice.client;
    let told = async |bytes: &[u8], seed| why(verify(client, bytes, &recovery_key(seed)).await);
    let named = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
    let whole = &backup.bytes;
    assert_eq!(told(whole, 2).await?, named("recovery_key", "mismatch"));
    assert_eq!(told(b"no backup", 1).await?, named("backup", "malformed"));
    let mut newer = whole.clone();
    newer[16] = 2;
    assert_eq!(told(&newer, 1).await?, named("backup", "not_supported"));
    let cut = &whole[..whole.len() - 1];
    assert_eq!(told(cut, 1).await?, named("backup", "damaged"));
    let contents = verify(client, whole, &recovery_key(1)).await?;
    assert_eq!((contents.user_id.as_str(), contents.messages), ("alice", 5));
    // Nothing of that disturbed the daemon, and none was an attempt.
    assert_eq!(client.health().await?.storage.trouble, None);
    ensure!(scratch_is_empty(&alice.state_dir)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_recovery_key_there_is_none() -> Result<()> {
    let world = World::new().await?;
    let alice = world.person("alice").await?;
    let refused = alice
        .client
        .call::<connect_api::backup::Begin>(Nothing {})
        .await;
    let expected = ("recovery_key".to_owned(), "missing".to_owned());
    assert_eq!(why(refused)?, expected);
    Ok(())
}

/// Neither the file nor what lies in the scratch place while it is looked at shows a text or a name.
#[tokio::test(flavor = "multi_thread")]
async fn it_shows_nothing_and_neither_does_the_scratch_place() -> Result<()> {
    let world = World::new().await?;
    let (alice, _bob, backup) = small(&world).await?;
    let secrets = [TEXT.as_bytes(), b"Dr. alice", b"Ward 3", b"SQLite format 3"];
    let holds = |bytes: &[u8]| {
        secrets
            .iter()
            .any(|secret| bytes.windows(secret.len()).any(|window| window == *secret))
    };
    ensure!(!holds(&backup.bytes), "the file");
    let params = connect_api::backup::BeginVerifyParams {
        recovery_key: recovery_key(1),
        size: backup.bytes.len() as u64,
    };
    let issued = alice
        .client
        .call::<connect_api::backup::BeginVerify>(params);
    let mut stream = alice.client.redeem(issued.await?.ticket).await?;
    let (last, most) = backup.bytes.split_last().context("a backup")?;
    stream.write(most).await?;
    let scratch = alice.state_dir.join("scratch");
    let written = loop {
        let place = std::fs::read_dir(&scratch)?.next().context("a place")??;
        let written = std::fs::read(place.path().join("messages.db"))?;
        // All chunks but the last.
        if written.len() + 2 * connect_core::backup::CHUNK > backup.bytes.len() {
            break written;
        }
        tokio::task::yield_now().await;
    };
    ensure!(!written.is_empty() && !holds(&written), "the scratch place");
    stream.write(&[*last]).await?;
    stream.result::<connect_api::backup::Contents>().await?;
    ensure!(scratch_is_empty(&alice.state_dir)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_it_and_harms_nothing() -> Result<()> {
    let world = World::new().await?;
    let Some(disk) = SmallDisk::mount(&world.path().join("alice"), 24 << 20)? else {
        return Ok(());
    };
    let (alice, bob, backup) = small(&world).await?;
    // Room for the live database alone.
    disk.fill_but(3 << 20)?;
    let issued = alice.client.call::<connect_api::backup::Begin>(Nothing {});
    let refused = alice.client.redeem(issued.await?.ticket).await;
    assert_eq!(refusal(refused)?, ErrorCode::StorageFull);
    let refused = verify(&alice.client, &backup.bytes, &recovery_key(1)).await;
    assert_eq!(refusal(refused)?, ErrorCode::StorageFull);
    ensure!(scratch_is_empty(&alice.state_dir)?);
    // The live one goes on as before.
    assert_eq!(alice.client.health().await?.storage.trouble, None);
    alice.writes(&bob, "still here").await?;
    disk.free()?;
    let backup = take(&alice.client).await?;
    let contents = verify(&alice.client, &backup.bytes, &recovery_key(1)).await?;
    assert_eq!(contents.messages, 6);
    // Full while one is under way.
    let params = connect_api::backup::BeginVerifyParams {
        recovery_key: recovery_key(1),
        size: backup.bytes.len() as u64,
    };
    let issued = alice
        .client
        .call::<connect_api::backup::BeginVerify>(params);
    let mut stream = alice.client.redeem(issued.await?.ticket).await?;
    disk.fill_but(0)?;
    let refused = match stream.write(&backup.bytes).await {
        Ok(()) => stream.result::<connect_api::backup::Contents>().await,
        Err(error) => Err(error),
    };
    assert_eq!(refusal(refused)?, ErrorCode::StorageFull);
    ensure!(scratch_is_empty(&alice.state_dir)?);
    disk.free()?;
    alice.writes(&bob, "and here").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_recovery_key_is_for_later_backups() -> Result<()> {
    let world = World::new().await?;
    let (alice, _bob, before) = small(&world).await?;
    let params = connect_api::session::SetRecoveryKeyParams {
        pin: connect_api::session::Pin::new(connect_tests::world::PIN.to_owned()),
        recovery_key: recovery_key(2),
    };
    alice
        .client
        .call::<connect_api::session::SetRecoveryKey>(params)
        .await?;
    let after = take(&alice.client).await?;
    ensure!(opens(&before.bytes, 1) && !opens(&before.bytes, 2));
    ensure!(opens(&after.bytes, 2) && !opens(&after.bytes, 1));
    let account = alice.client.call::<account::Get>(Nothing {}).await?;
    ensure!(account.has_recovery_key);
    Ok(())
}
