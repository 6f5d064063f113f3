//! Two daemons and a relay as three processes, by the commands of the README.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use connect_tests::processes::{Process, log_file, run, start_daemon, start_relay, succeed};
use tempfile::TempDir;

const PIN: &str = "canary-pin-29571";
const CANARIES: [&str; 4] = [
    "canary-potassium",
    "canary-on-my-way",
    "canary-later",
    "Canary Name",
];

struct Ward {
    dir: TempDir,
    address: String,
    pins: Vec<String>,
    /// The secret halves of the codes that were handed out.
    codes: RefCell<Vec<String>>,
}

impl Ward {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn socket(&self, user: &str) -> PathBuf {
        self.path(&format!("{user}.sock"))
    }

    fn start(&self, user: &str) -> Result<Process> {
        start_daemon(&self.path(user), &self.socket(user), None)
    }

    fn ctl(&self, user: &str, arguments: &[&str]) -> Result<String> {
        let socket = self.socket(user);
        let mut all = vec!["--socket", text(&socket)?];
        all.extend(arguments);
        succeed("connectctl", &all)
    }

    fn enroll(&self, user: &str) -> Result<()> {
        let relay = self.path("relay");
        let code = succeed(
            "connect-relay",
            &["operator", "--state-dir", text(&relay)?, "issue-code", user],
        )?;
        let (_, secret) = code.trim().split_once('/').context("user/secret")?;
        self.codes.borrow_mut().push(secret.to_owned());
        let (url, ca, pin) = (
            format!("https://{}", self.address),
            relay.join("ca.pem"),
            self.path("pin"),
        );
        self.ctl(
            user,
            &[
                "account",
                "enroll",
                "--relay",
                &url,
                "--ca",
                text(&ca)?,
                "--relay-pin",
                &self.pins[0],
                "--relay-pin",
                &self.pins[1],
                "--code",
                code.trim(),
                "--name",
                "Canary Name",
                "--pin-file",
                text(&pin)?,
            ],
        )?;
        Ok(())
    }

    fn unlock(&self, user: &str) -> Result<()> {
        let pin = self.path("pin");
        self.ctl(user, &["unlock", "--pin-file", text(&pin)?])?;
        Ok(())
    }

    /// Waits until a message has come in, by the events, and returns how the history reads.
    fn history(&self, user: &str, with: &str, last: &str) -> Result<String> {
        loop {
            let history = self.ctl(user, &["messages", "list", with])?;
            if history.contains(last) {
                return Ok(history);
            }
        }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a temporary path is UTF-8")
}

fn new_ward() -> Result<(Ward, Process)> {
    let dir = tempfile::tempdir()?;
    let relay = dir.path().join("relay");
    let told = succeed(
        "connect-relay",
        &["init", "--state-dir", text(&relay)?, "--host", "localhost"],
    )?;
    let pins: Vec<String> = told
        .split_whitespace()
        .filter(|word| word.starts_with("sha256/"))
        .map(str::to_owned)
        .collect();
    anyhow::ensure!(pins.len() == 2, "init prints two pins");
    let (process, address) = start_relay(&relay, "127.0.0.1:0")?;
    std::fs::write(dir.path().join("pin"), PIN)?;
    Ok((
        Ward {
            dir,
            address,
            pins,
            codes: RefCell::default(),
        },
        process,
    ))
}

#[test]
fn messages_survive_the_restart_of_all_three_and_arrive_after_an_absence() -> Result<()> {
    let (ward, relay) = new_ward()?;
    let (alice, bob) = (ward.start("alice")?, ward.start("bob")?);
    ward.enroll("alice")?;
    ward.enroll("bob")?;
    ward.ctl("alice", &["contacts", "add", "bob"])?;
    ward.ctl("alice", &["send", "bob", CANARIES[0], "--wait", "sent"])?;
    ward.history("bob", "alice", CANARIES[0])?;
    ward.ctl("bob", &["send", "alice", CANARIES[1], "--wait", "sent"])?;
    ward.history("alice", "bob", CANARIES[1])?;

    bob.stop()?;
    ward.ctl("alice", &["send", "bob", CANARIES[2], "--wait", "sent"])?;
    alice.stop()?;
    relay.stop()?;
    let (relay, _) = start_relay(&ward.path("relay"), &ward.address)?;
    let (alice, bob) = (ward.start("alice")?, ward.start("bob")?);
    ward.unlock("alice")?;
    ward.unlock("bob")?;
    let history = ward.history("bob", "alice", CANARIES[2])?;
    let places: Vec<_> = CANARIES[..3]
        .iter()
        .map(|text| history.find(text))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}"
    );
    assert!(
        ward.ctl("alice", &["messages", "bob"])?
            .contains(CANARIES[0])
    );

    an_app_is_paired_and_revoked(&ward)?;

    alice.stop()?;
    bob.stop()?;
    relay.stop()?;
    nothing_readable_is_left(&ward)
}

/// By the commands of `docs/operating.md`. The token counts as a secret from then on.
fn an_app_is_paired_and_revoked(ward: &Ward) -> Result<()> {
    let file = ward.path("token");
    let pair = ["apps", "pair", "EHR", "--scope", "messages.send"];
    let to_file = ["--token-out", text(&file)?];
    let paired = ward.ctl("alice", &[&pair[..], &to_file, &["--json"]].concat())?;
    let paired: serde_json::Value = serde_json::from_str(&paired)?;
    let id = paired["app_id"].as_str().context("an id")?;
    let again = ward.ctl("alice", &[&pair[..], &to_file].concat());
    assert!(again.is_err(), "a file that is there stays as it is");
    let told = std::fs::read_to_string(&file)?;
    let (_, token) = told.trim().split_once(':').context("an id and a token")?;
    ward.codes.borrow_mut().push(token.to_owned());

    let as_app = ["--token-file", text(&file)?];
    let app = |arguments: &[&str]| ward.ctl("alice", &[&as_app, arguments].concat());
    assert!(app(&["hello", "--json"])?.contains(id));
    app(&["send", "bob", CANARIES[0]])?;
    assert!(app(&["messages", "bob"]).is_err(), "it may only send");
    assert!(
        ward.ctl("alice", &["apps", "list"])?
            .contains("messages.send")
    );
    ward.ctl("alice", &["apps", "revoke", id])?;
    assert!(app(&["hello"]).is_err(), "its token is worth nothing now");
    let printed = ward.ctl("alice", &[&pair[..], &["--json"]].concat())?;
    let printed: serde_json::Value = serde_json::from_str(&printed)?;
    let token = printed["token"].as_str().context("a token")?;
    assert_eq!(token.len(), 64);
    ward.codes.borrow_mut().push(token.to_owned());
    std::fs::remove_file(file)?;
    Ok(())
}

/// Neither text nor name, PIN or code: not in the databases, nor in what was logged at TRACE. The file with which the
/// test gives the PIN is left out.
fn nothing_readable_is_left(ward: &Ward) -> Result<()> {
    for user in ["alice", "bob"] {
        assert!(
            std::fs::metadata(log_file(&ward.socket(user)))?.len() > 1000,
            "it did log"
        );
        let database = std::fs::read(ward.path(user).join("account/messages.db"))?;
        assert!(!database.starts_with(b"SQLite format 3"));
    }
    let mut folders = vec![ward.dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && !path.ends_with("pin") {
                no_canary_in(&path, &ward.codes.borrow())?;
            }
        }
    }
    Ok(())
}

fn no_canary_in(path: &Path, codes: &[String]) -> Result<()> {
    let content = std::fs::read(path)?;
    // The directory publishes names; the daemon's own files do not.
    let of_the_relay = path.components().any(|part| part.as_os_str() == "relay");
    let secrets = codes.iter().map(String::as_str).chain([PIN]);
    for canary in CANARIES.into_iter().chain(secrets) {
        let found = content
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(
            !found || (of_the_relay && canary == "Canary Name"),
            "{canary} in {}",
            path.display()
        );
    }
    Ok(())
}

#[test]
fn watch_tells_of_a_message_that_comes_in() -> Result<()> {
    use std::io::BufRead as _;
    let (ward, relay) = new_ward()?;
    let (alice, bob) = (ward.start("alice")?, ward.start("bob")?);
    ward.enroll("alice")?;
    ward.enroll("bob")?;
    let socket = ward.socket("bob");
    let mut watching = std::process::Command::new(connect_tests::binaries::path("connectctl")?)
        .args([
            "--socket",
            text(&socket)?,
            "--json",
            "watch",
            "--after",
            "0",
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    ward.ctl("alice", &["contacts", "add", "bob"])?;
    let sent = ward.ctl("alice", &["--json", "send", "bob", "hello"])?;
    let sent: serde_json::Value = serde_json::from_str(&sent)?;
    let lines = std::io::BufReader::new(watching.stdout.take().context("piped")?).lines();
    let mut seen = false;
    for line in lines {
        let event: serde_json::Value = serde_json::from_str(&line?)?;
        if event["type"] == "message_received" {
            assert_eq!(event["message_id"], sent["message_id"]);
            assert_eq!(event["author"], "alice");
            seen = true;
            break;
        }
    }
    watching.kill()?;
    watching.wait()?;
    assert!(seen);
    for process in [alice, bob, relay] {
        process.stop()?;
    }
    Ok(())
}

#[test]
fn a_second_daemon_says_so_and_exits_and_a_dead_ones_socket_is_replaced() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (state, other) = (dir.path().join("state"), dir.path().join("other"));
    let (socket, second) = (dir.path().join("d.sock"), dir.path().join("e.sock"));
    let first = start_daemon(&state, &socket, None)?;
    let refused = |state: &Path, socket: &Path| -> Result<(Option<i32>, String)> {
        let output = run(
            "connectd",
            &[
                "run",
                "--state-dir",
                text(state)?,
                "--socket",
                text(socket)?,
            ],
        )?;
        Ok((output.status.code(), String::from_utf8(output.stderr)?))
    };
    let (code, told) = refused(&state, &second)?;
    assert_eq!(code, Some(69));
    assert!(
        told.contains("another connectd runs on this state directory"),
        "{told}"
    );
    let (code, told) = refused(&other, &socket)?;
    assert_eq!(code, Some(69));
    assert!(told.contains("another daemon listens there"), "{told}");
    first.kill()?;
    assert!(socket.exists(), "a killed daemon leaves its socket");
    start_daemon(&state, &socket, None)?.stop()?;
    assert!(!socket.exists(), "a stopped one takes it along");
    std::fs::write(&socket, "precious")?;
    let (code, _) = refused(&state, &socket)?;
    assert_eq!(code, Some(69));
    assert_eq!(std::fs::read_to_string(&socket)?, "precious");
    Ok(())
}
