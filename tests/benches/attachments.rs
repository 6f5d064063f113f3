//! P6, P7: chunks sealed and opened, and a film through a local relay, up and down.
//!
//! `BYTES` in the environment makes the film longer or shorter.
#![expect(unsafe_code, reason = "libsodium, the yardstick, is C")]

#[path = "support/plain_tls.rs"]
mod plain_tls;
#[expect(dead_code, reason = "other benches use the rest of it")]
mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use connect_api::attachments::{AttachmentState, BeginDownload, BeginDownloadParams};
use connect_api::conversation::Conversation;
use connect_client::client::Client;
use connect_core::attachment::{CHUNK, open_chunk, seal_chunk};
use connect_core::secret::AttachmentKey;
use connect_tests::apart::{Apart, POLL};
use connect_tests::attachments::{announce, film, name, standing};
use connect_tests::processes::start_relay;
use connect_tests::world::World;
use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::{AeadInPlace as _, KeyInit as _};
use libsodium_sys::{crypto_secretbox_detached, crypto_secretbox_open_detached, sodium_init};
use support::{Samples, cpu_seconds, heading, in_turn, note, resident_mib, row, time};
use tokio::time::Instant;

/// Chunks that are timed one by one in each round.
const CHUNKS: usize = 16;
const KEY: [u8; 32] = [7; 32];
/// Bytes of each write into the socket, as `connectctl` does it.
const PIECE: usize = 256 << 10;

fn main() {
    primitives();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bytes = std::env::var("BYTES").map_or(1 << 30, |bytes| bytes.parse().expect("a number"));
    runtime.block_on(passage(bytes));
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn megabytes_per_second(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / seconds / 1e6
}

fn primitives() {
    // SAFETY: it may be called as often as one likes.
    assert!(unsafe { sodium_init() } >= 0);
    let key = AttachmentKey::from_bytes(&KEY);
    let plain = film(CHUNK, "knee");
    let sealed = seal_chunk(&key, 1, &plain);
    heading("attachments: a chunk of 2 MiB on one core, against libsodium");
    let (ours, sodium) = in_turn(
        || time(CHUNKS, || drop(seal_chunk(&key, 1, &plain))),
        || time(CHUNKS, || drop(sodium_seal(&plain))),
    );
    rate("sealed, p50", &ours, &sodium, "P6: ≥ 0.95 × the primitive");
    let (ours, sodium) = in_turn(
        || time(CHUNKS, || drop(open_chunk(&key, 1, &sealed))),
        || time(CHUNKS, || assert!(sodium_opens(&sealed))),
    );
    rate("opened, p50", &ours, &sodium, "P6: ≥ 0.95 × the primitive");
    let mut buffer = plain.clone();
    let rustcrypto = time(CHUNKS, || {
        let cipher = XSalsa20Poly1305::new(&KEY.into());
        cipher
            .encrypt_in_place_detached(&[1; 24].into(), b"", &mut buffer)
            .expect("sealed");
    });
    let speed = |samples: &Samples| megabytes_per_second(CHUNK, samples.percentile(50) / 1e6);
    note(
        "crypto_secretbox alone, in place",
        speed(&rustcrypto),
        "MB/s",
    );
    let one = on_cores(1, &key, &plain);
    let two = on_cores(2, &key, &plain);
    row(
        "sealed on two cores, and on one",
        two,
        one,
        "",
        "P6: ≥ 1.7 on two (MB/s)",
    );
}

/// In MB/s: more is better.
fn rate(what: &str, ours: &Samples, yardstick: &Samples, reach: &str) {
    let speed = |samples: &Samples| megabytes_per_second(CHUNK, samples.percentile(50) / 1e6);
    row(
        &format!("{what} (MB/s)"),
        speed(ours),
        speed(yardstick),
        "",
        reach,
    );
}

fn on_cores(cores: usize, key: &AttachmentKey, plain: &[u8]) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| (0..64).for_each(|_| drop(seal_chunk(key, 1, plain))));
        }
    });
    megabytes_per_second(64 * cores * CHUNK, began.elapsed().as_secs_f64())
}

fn sodium_seal(plain: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0; 16 + plain.len()];
    let (tag, body) = sealed.split_at_mut(16);
    let mut nonce = [0; 24];
    nonce[0] = 1;
    // SAFETY: the buffers have the lengths that libsodium's manual gives.
    let code = unsafe {
        crypto_secretbox_detached(
            body.as_mut_ptr(),
            tag.as_mut_ptr(),
            plain.as_ptr(),
            plain.len() as u64,
            nonce.as_ptr(),
            KEY.as_ptr(),
        )
    };
    assert_eq!(code, 0);
    sealed
}

fn sodium_opens(sealed: &[u8]) -> bool {
    let (tag, body) = sealed.split_at(16);
    let mut plain = vec![0_u8; body.len()];
    let mut nonce = [0; 24];
    nonce[0] = 1;
    // SAFETY: the buffers have the lengths that libsodium's manual gives.
    let code = unsafe {
        crypto_secretbox_open_detached(
            plain.as_mut_ptr(),
            body.as_ptr(),
            tag.as_ptr(),
            body.len() as u64,
            nonce.as_ptr(),
            KEY.as_ptr(),
        )
    };
    code == 0
}

/// Relay and daemons are processes of their own; the client is this one.
async fn passage(size: usize) {
    heading(&format!(
        "attachments: {} MB through a local relay (MB/s)",
        size / 1_000_000
    ));
    let mut world = World::new().await.expect("a world");
    let alice = Apart::new(&world, "alice", Vec::new())
        .await
        .expect("alice");
    let mut bob = Apart::new(&world, "bob", Vec::new()).await.expect("bob");
    alice.adds("bob").await.expect("a contact");
    bob.adds("alice").await.expect("a contact");
    bob.stop().expect("stopped");
    let address = world.relay_address();
    world.stop_relay().await;
    let (relay, _) = start_relay(&world.relay_dir(), &address).expect("a relay");
    let disk = disk(world.path(), size);
    let tls = plain_tls::rate(&world, size, CHUNK).await;

    let began = Instant::now();
    let id = up(&alice.client, size).await;
    let sealed = began.elapsed().as_secs_f64();
    let to = Conversation::User("bob".to_owned());
    name(&alice.client, to, &id, None).await.expect("named");
    let mut highest = Highest::default();
    while state(&alice.client, &id).await != Some(AttachmentState::Ready) {
        highest.look(&[alice.id(), relay.id()]);
        tokio::time::sleep(POLL).await;
    }
    let whole = began.elapsed().as_secs_f64();
    let speed = |seconds| megabytes_per_second(size, seconds);
    row(
        "into the daemon, sealed and on its disk",
        speed(sealed),
        disk,
        "",
        "beside: written and synced, plain",
    );
    row(
        "from there to the relay, durable",
        speed(whole - sealed),
        tls,
        "",
        "P7: ≥ 0.5 × TLS",
    );
    row("up, all in all", speed(whole), tls, "", "P7: ≥ 0.5 × TLS");

    bob.restart_unlocked().await.expect("bob is back");
    while state(&bob.client, &id).await.is_none() {
        tokio::time::sleep(POLL).await;
    }
    let began = Instant::now();
    let fetching = tokio::spawn({
        let (client, id) = (bob.client.clone(), id.clone());
        async move { down(&client, &id).await }
    });
    while !fetching.is_finished() {
        highest.look(&[bob.id(), relay.id()]);
        tokio::time::sleep(POLL).await;
    }
    assert_eq!(fetching.await.expect("fetched"), size);
    row(
        "down, to the last byte",
        speed(began.elapsed().as_secs_f64()),
        tls,
        "",
        "P7: ≥ 0.5 × TLS",
    );
    let began = Instant::now();
    assert_eq!(down(&bob.client, &id).await, size);
    note(
        "opened anew from the daemon's disk",
        speed(began.elapsed().as_secs_f64()),
        "MB/s",
    );
    for (who, process) in [
        ("Alice's daemon", alice.id()),
        ("Bob's daemon", bob.id()),
        ("the relay", relay.id()),
    ] {
        note(
            &format!("{who}, resident at its highest"),
            highest.of(process),
            "MiB",
        );
        note(&format!("{who}, CPU"), cpu_seconds(process), "s");
    }
    relay.stop().expect("stopped");
}

/// Written in pieces of a chunk, and synced once: in MB/s.
fn disk(below: &Path, size: usize) -> f64 {
    let piece = film(CHUNK, "plain");
    let path = below.join("yardstick");
    let began = Instant::now();
    let mut file = std::fs::File::create(&path).expect("a file");
    for _ in 0..size / CHUNK {
        file.write_all(&piece).expect("written");
    }
    file.sync_data().expect("synced");
    let took = began.elapsed().as_secs_f64();
    std::fs::remove_file(path).expect("removed");
    megabytes_per_second(size, took)
}

async fn up(client: &Client, size: usize) -> String {
    let piece = film(PIECE, "knee");
    let upload = announce(client, size as u64, "knee.dcm")
        .await
        .expect("announced");
    let mut stream = client.redeem(upload.ticket).await.expect("a stream");
    let mut left = size;
    while left > 0 {
        let now = left.min(PIECE);
        stream.write(&piece[..now]).await.expect("written");
        left -= now;
    }
    let uploaded: connect_api::attachments::Uploaded = stream.result().await.expect("sealed");
    uploaded.attachment_id
}

async fn down(client: &Client, id: &str) -> usize {
    let params = BeginDownloadParams {
        attachment_id: id.to_owned(),
        offset: Some(0),
        thumbnail: None,
    };
    let download = client.call::<BeginDownload>(params).await.expect("begun");
    let mut stream = client.redeem(download.ticket).await.expect("a stream");
    let (mut piece, mut all) = (vec![0; PIECE], 0);
    loop {
        match stream.read(&mut piece).await.expect("read") {
            0 => return all,
            read => all += read,
        }
    }
}

/// None as long as nothing is known of it.
async fn state(client: &Client, id: &str) -> Option<AttachmentState> {
    Some(standing(client, id).await.ok()?.attachment.state)
}

/// What was resident, by process: looked at, since the key derivation takes more than any transfer and counts for none.
#[derive(Default)]
struct Highest(BTreeMap<u32, f64>);

impl Highest {
    fn look(&mut self, processes: &[u32]) {
        for process in processes {
            let seen = self.0.entry(*process).or_default();
            *seen = seen.max(resident_mib(*process));
        }
    }

    fn of(&self, process: u32) -> f64 {
        self.0.get(&process).copied().unwrap_or(f64::NAN)
    }
}
