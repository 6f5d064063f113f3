//! Another user of the same machine, for real: a process under another uid that can reach the socket.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use connect_api::openrpc;
use connect_ipc::socket::own_uid;
use connect_tests::world::{World, unhurried};
use connectd::limits::Limits;
use serde_json::Value;

const NOBODY: u32 = 65_534;
const PYTHON: &str = "/usr/bin/python3";

/// Says hello, tries every method it was given, and waits to be cut off; prints one answer a line.
const CLIENT: &str = r#"
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
f = s.makefile("rw")
for n, method in enumerate(sys.argv[2:]):
    f.write(json.dumps({"jsonrpc": "2.0", "id": n, "method": method, "params": {}}) + "\n"); f.flush()
    print(f.readline().strip())
print(json.dumps({"closed": f.readline() == ""}))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn another_uid_may_say_hello_and_nothing_else_and_not_for_long() -> Result<()> {
    if own_uid() != 0 || !std::path::Path::new(PYTHON).exists() {
        eprintln!(
            "skipped: it takes root to act as another user, and a {PYTHON} that everyone may run"
        );
        return Ok(());
    }
    let world = World::new().await?;
    let limits = Limits {
        authenticate_s: 1,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    // The file system would keep a stranger out; here only the uid does.
    for (path, mode) in [
        (world.path(), 0o755),
        (&alice.state_dir, 0o755),
        (alice.endpoint.path(), 0o666),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    let methods: Vec<&str> = openrpc::methods().iter().map(|entry| entry.name).collect();
    let socket = alice.endpoint.path().to_owned();
    let asked = methods.clone();
    let output = tokio::task::spawn_blocking(move || {
        Command::new(PYTHON)
            .arg("-c")
            .arg(CLIENT)
            .arg(socket)
            .args(asked)
            .uid(NOBODY)
            .gid(NOBODY)
            .current_dir("/")
            .output()
    })
    .await??;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let printed = String::from_utf8(output.stdout)?;
    let mut answers = printed.lines().map(serde_json::from_str::<Value>);
    for method in methods {
        let answer = answers.next().context("an answer")??;
        match method {
            "system.hello" => {
                assert_eq!(answer["result"]["principal"], Value::Null);
                assert_eq!(answer["result"]["scopes"], serde_json::json!([]));
            }
            _ => assert_eq!(
                answer["error"]["data"]["code"], "unauthenticated",
                "{method}"
            ),
        }
    }
    assert_eq!(answers.next().context("the end")??["closed"], true);
    Ok(())
}
