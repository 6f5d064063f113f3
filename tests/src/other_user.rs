//! Other users of the same machine, for real: processes under other uids that speak to a socket.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use connect_ipc::socket::own_uid;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

pub const NOBODY: u32 = 65_534;
const PYTHON: &str = "/usr/bin/python3";

/// Connects, writes each line that it reads to the socket and prints the answer; then waits to be cut off.
pub const SPEAKER: &str = r#"
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
try: s.connect(sys.argv[1])
except PermissionError: print(json.dumps({"refused": True})); sys.exit()
f = s.makefile("rw")
for line in sys.stdin:
    f.write(line); f.flush()
    print(f.readline().strip())
if len(sys.argv) > 2: print(json.dumps({"closed": f.readline() == ""}))
"#;

#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests learns what was not tested"
)]
pub fn can_be_another_user() -> bool {
    let can = own_uid() == 0 && Path::new(PYTHON).exists();
    if !can {
        eprintln!(
            "skipped: it takes root to act as another user, and a {PYTHON} that everyone may run"
        );
    }
    can
}

/// What a script prints that runs under another uid and gid, given arguments and an input.
pub async fn run(
    (uid, gid): (u32, u32),
    script: &str,
    arguments: &[&str],
    input: &str,
) -> Result<String> {
    let mut command = std::process::Command::new(PYTHON);
    command
        .args(["-c", script])
        .args(arguments)
        .uid(uid)
        .gid(gid)
        .current_dir("/");
    let mut child = tokio::process::Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("its input")?;
    // Who was cut off reads no further.
    stdin.write_all(input.as_bytes()).await.ok();
    drop(stdin);
    let output = child.wait_with_output().await?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{told}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The answers to requests that a process under another uid and gid makes on one connection.
pub async fn speak(
    (uid, gid): (u32, u32),
    socket: &Path,
    requests: &[(&str, Value)],
) -> Result<Vec<Value>> {
    let mut input = String::new();
    for (id, (method, params)) in requests.iter().enumerate() {
        let request =
            serde_json::json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        input += &request.to_string();
        input.push('\n');
    }
    let socket = socket.to_str().context("a path in UTF-8")?;
    let printed = run((uid, gid), SPEAKER, &[socket], &input).await?;
    let answers = printed.lines().map(serde_json::from_str);
    Ok(answers.collect::<Result<_, _>>()?)
}
