//! P3, P4: from starting a daemon to its first unlocked answer, and what memory it takes when it has nothing to do.
//!
//! The account is sealed at a cost that takes no time: the key derivation is apart, and is what `--bench cost` measures.

#[expect(dead_code, reason = "other benches use the rest of it")]
mod support;

use std::path::Path;

use connect_tests::binaries;
use connect_tests::processes::{Process, start_quiet_daemon};
use connect_tests::raw::Raw;
use connect_tests::world::{PIN, World};
use serde_json::{Value, json};
use support::{Samples, heading, note, row};
use tokio::time::Instant;

const STARTS: usize = 40;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let world = World::new().await.expect("a world");
    let mut alice = world.person("alice").await.expect("alice");
    alice.stop().await;
    let socket = world.path().join("bench.sock");
    let connectd = binaries::path("connectd").expect("built");
    let (mut started, mut answered, mut empty) =
        (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..STARTS {
        let began = Instant::now();
        let process = start_quiet_daemon(&alice.state_dir, &socket).expect("started");
        let mut raw = Raw::connect(&socket).await.expect("a connection");
        ok(&mut raw, "system.hello", json!({})).await;
        started.add(began.elapsed());
        ok(&mut raw, "session.unlock", json!({"pin": PIN})).await;
        ok(&mut raw, "contacts.list", json!({})).await;
        answered.add(began.elapsed());
        process.stop().expect("stopped");

        let began = Instant::now();
        let version = std::process::Command::new(&connectd)
            .arg("--version")
            .output();
        assert!(version.expect("run").status.success());
        empty.add(began.elapsed());
    }
    heading(
        "start: a daemon with an account, key derivation apart; beside it the same command printing its version",
    );
    for percent in [50, 90] {
        row(
            &format!("start to an unlocked answer, p{percent}"),
            answered.percentile(percent) / 1e3,
            empty.percentile(percent) / 1e3,
            "ms",
            "P3: ≤ 10 ms",
        );
    }
    note(
        "of this until it says hello, p50",
        started.percentile(50) / 1e3,
        "ms",
    );
    idle(&alice.state_dir, &socket).await;
}

async fn idle(state_dir: &Path, socket: &Path) {
    let process = start_quiet_daemon(state_dir, socket).expect("started");
    let mut raw = Raw::connect(socket).await.expect("a connection");
    memory("idle and locked", &process);
    ok(&mut raw, "session.unlock", json!({"pin": PIN})).await;
    loop {
        let health = ok(&mut raw, "system.health", json!({})).await;
        if health["relay"]["reachable"] == true {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    memory("idle and enrolled: P4, ≤ 15 MiB", &process);
    ok(&mut raw, "session.lock", json!({})).await;
    memory("locked again", &process);
    process.stop().expect("stopped");
}

/// What is resident, and how much of it is not a file's.
fn memory(when: &str, process: &Process) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()));
    let status = status.expect("its status");
    for (field, what) in [("VmRSS:", "resident"), ("RssAnon:", "of its own")] {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.split_whitespace().next());
        let kib: f64 = kib.expect("a size").parse().expect("a number");
        note(&format!("{when}, {what}"), kib / 1024.0, "MiB");
    }
}

async fn ok(raw: &mut Raw, method: &str, params: Value) -> Value {
    let mut answer = raw.call(method, params).await.expect("answered");
    assert!(answer["error"].is_null(), "{method} {answer}");
    answer["result"].take()
}
