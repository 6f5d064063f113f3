//! Another user of the same machine, for real: a process under another uid that can reach the socket.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};
use connect_api::openrpc;
use connect_tests::other_user::{self, NOBODY, can_be_another_user};
use connect_tests::world::{Person, World, unhurried};
use connectd::limits::Limits;
use serde_json::Value;

/// Says hello, tries every method it was given, and waits to be cut off; prints one answer a line.
const CURIOUS: &str = r#"
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
f = s.makefile("rw")
for n, method in enumerate(sys.argv[2:]):
    f.write(json.dumps({"jsonrpc": "2.0", "id": n, "method": method, "params": {}}) + "\n"); f.flush()
    print(f.readline().strip())
print(json.dumps({"closed": f.readline() == ""}))
"#;

/// Says hello without a pause and reads every answer, until it is cut off.
const RESTLESS: &str = r#"
import socket, sys, threading
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
def listen():
    try:
        while s.recv(1 << 16): pass
    except OSError: pass
listener = threading.Thread(target=listen); listener.start()
hello = b'{"jsonrpc":"2.0","id":1,"method":"system.hello"}\n' * 100
try:
    while True: s.sendall(hello)
except OSError: print("cut off")
listener.join()
"#;

/// Says hello as often as it is listened to and reads nothing, until it is cut off.
const DEAF: &str = r#"
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
hello = b'{"jsonrpc":"2.0","id":1,"method":"system.hello"}\n' * 100
try:
    while True: s.sendall(hello)
except OSError: print("cut off")
"#;

/// The file system would keep a stranger out; here only the uid does.
async fn within_reach(world: &World, authenticate_s: u64) -> Result<Person> {
    let limits = Limits {
        authenticate_s,
        stalled_s: 3600,
        ..unhurried()
    };
    let alice = world.stranger_with("alice", limits).await?;
    for (path, mode) in [
        (world.path(), 0o755),
        (&alice.state_dir, 0o755),
        (alice.endpoint.path(), 0o666),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(alice)
}

/// What a script printed that ran under another uid.
async fn as_nobody(alice: &Person, script: &str, arguments: &[&str]) -> Result<String> {
    let socket = alice.endpoint.path().to_str().context("a path in UTF-8")?;
    let arguments: Vec<&str> = [socket].iter().chain(arguments).copied().collect();
    other_user::run((NOBODY, NOBODY), script, &arguments, "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_uid_may_say_hello_and_nothing_else_and_not_for_long() -> Result<()> {
    if !can_be_another_user() {
        return Ok(());
    }
    let world = World::new().await?;
    let alice = within_reach(&world, 10).await?;
    let methods: Vec<&str> = openrpc::methods().iter().map(|entry| entry.name).collect();
    let printed = as_nobody(&alice, CURIOUS, &methods).await?;
    let mut answers = printed.lines().map(serde_json::from_str::<Value>);
    for method in methods {
        let answer = answers.next().context("an answer")??;
        match method {
            "system.hello" => {
                assert_eq!(answer["result"]["principal"], Value::Null);
                assert_eq!(answer["result"]["scopes"], serde_json::json!([]));
            }
            // Without its parameters: it is answered to everyone.
            "session.authenticate" => {
                assert_eq!(answer["error"]["data"]["code"], "invalid_params");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_cut_off_in_time_whether_it_never_rests_or_never_reads() -> Result<()> {
    if !can_be_another_user() {
        return Ok(());
    }
    let world = World::new().await?;
    let alice = within_reach(&world, 1).await?;
    for script in [RESTLESS, DEAF] {
        assert_eq!(as_nobody(&alice, script, &[]).await?.trim(), "cut off");
    }
    Ok(())
}
