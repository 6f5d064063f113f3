//! A greedy client harms nobody: against the real command, its memory and a polite client's answers are watched.

use std::io::BufRead as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use connect_api::account::Enroll;
use connect_client::client::Client;
use connect_client::endpoint::Endpoint;
use connect_tests::processes::start_quiet_daemon;
use connect_tests::raw::Raw;
use connect_tests::world::World;
use serde_json::json;
use tokio::time::Instant;

const GREEDY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/greedy.py");
const SAMPLES: usize = 1000;
const KIB: u64 = 1024;

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(figure.context("VmRSS")?.parse()?)
}

/// Runs the greedy client until it has done everything, and then until `enough`.
fn greedy(socket: &Path, done: &AtomicBool, enough: &std::sync::mpsc::Receiver<()>) -> Result<()> {
    let mut child = Command::new("python3")
        .arg(GREEDY)
        .arg(socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let told = std::io::BufReader::new(child.stdout.take().context("piped")?);
    let mut last = String::new();
    for line in told.lines() {
        last = line?;
        if last == "done" {
            break;
        }
    }
    done.store(true, Ordering::SeqCst);
    // The other side going away is enough, too.
    enough.recv().ok();
    drop(child.stdin.take());
    let ended = child.wait()?;
    ensure!(
        last == "done" && ended.success(),
        "it came as far as {last:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_greedy_client_neither_fills_the_memory_nor_delays_a_polite_one() -> Result<()> {
    let mut world = World::new().await?;
    let socket = world.path().join("alice.sock");
    let daemon = start_quiet_daemon(&world.path().join("alice"), &socket)?;
    let client = Client::builder()
        .endpoint(Endpoint::new(socket.clone()))
        .lazy();
    client
        .call::<Enroll>(world.enrollment("alice").await?)
        .await?;
    drop(client);
    // Takes connections, and never says a word: whatever asks the relay hangs.
    let address = world.relay_url().replace("https://", "");
    world.stop_relay().await;
    let deaf = tokio::net::TcpListener::bind(address).await?;

    let mut polite = Raw::connect(&socket).await?;
    for _ in 0..SAMPLES {
        polite.call("system.health", json!({})).await?;
    }
    let before = resident(daemon.id())?;
    let done = Arc::new(AtomicBool::new(false));
    let (enough, until_enough) = std::sync::mpsc::channel();
    let greedy = tokio::task::spawn_blocking({
        let (socket, done) = (socket.clone(), Arc::clone(&done));
        move || greedy(&socket, &done, &until_enough)
    });
    let (mut samples, mut most) = (Vec::new(), before);
    while samples.len() < SAMPLES || !(done.load(Ordering::SeqCst) || greedy.is_finished()) {
        let began = Instant::now();
        polite.call("system.health", json!({})).await?;
        samples.push(began.elapsed());
        most = most.max(resident(daemon.id())?);
    }
    enough.send(()).ok();
    greedy.await??;
    drop(deaf);

    samples.sort_unstable();
    let p99 = samples[samples.len() * 99 / 100];
    let grown = (most - before) / KIB;
    eprintln!(
        "p99 of {} calls {p99:?}, memory {} MiB and {grown} MiB more at most",
        samples.len(),
        before / KIB
    );
    assert!(grown < 32, "{grown} MiB");
    assert!(p99 < Duration::from_millis(50), "{p99:?}");
    daemon.stop()
}
