//! A cover is lifted by who shows a real polkit to be the owner, over keys that are in memory and no others (§4.1.3).

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};
use connect_tests::apart::Apart;
use connect_tests::keyring::Bus;
use connect_tests::login1::Login1;
use connect_tests::other_user::{NOBODY, SPEAKER, can_be_another_user};
use connect_tests::polkit::{Agent, Polkit};
use connect_tests::raw::{Raw, outcome};
use connect_tests::world::{PIN, World};
use serde_json::{Value, json};

const POLICY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../packaging/polkit/org.connectd.policy"
);
const CONFIG: &str =
    "[session]\nwhen_idle = \"cover\"\npresence = \"polkit\"\n[access]\nowner_uids = [65534]\n";

/// The owner's program, under a uid of its own: root is asked for nothing.
struct Desk {
    process: Child,
    says: ChildStdin,
    hears: BufReader<ChildStdout>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Desk {
    fn at(socket: &Path) -> Result<Self> {
        let mut command = Command::new("/usr/bin/python3");
        let mut process = command
            .args(["-u", "-c", SPEAKER])
            .arg(socket)
            .uid(NOBODY)
            .gid(NOBODY)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let says = process.stdin.take().context("a pipe")?;
        let hears = process.stdout.take().context("a pipe")?;
        Ok(Self {
            process,
            says,
            hears: BufReader::new(hears),
        })
    }

    fn asks(&mut self, method: &str, params: &Value) -> Result<Value> {
        let line = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        writeln!(self.says, "{line}")?;
        self.says.flush()?;
        let mut answer = String::new();
        self.hears.read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }

    fn uncovers(&mut self) -> Result<Value> {
        self.asks("session.uncover", &json!({}))
    }
}

/// Waits until the daemon is covered: locked, with the keys in memory.
async fn is_covered(alice: &Apart, logind: &Login1) -> Result<()> {
    logind.locks(0).await?;
    alice
        .is(|health| health.state == connect_api::system::State::Locked)
        .await?;
    let health = alice.client.health().await?;
    assert!(health.session.keys_in_memory);
    assert_eq!(health.session.presence_s, Some(12 * 3600));
    Ok(())
}

fn reason(answer: &Value) -> (&str, &str) {
    let data = &answer["error"]["data"];
    (
        data["field"].as_str().unwrap_or_default(),
        data["reason"].as_str().unwrap_or_default(),
    )
}

async fn daemon(world: &World, bus: &Bus, logind: &mut Login1) -> Result<Apart> {
    let variable = ("DBUS_SYSTEM_BUS_ADDRESS", PathBuf::from(bus.address()));
    let mut alice = Apart::new(world, "alice", vec![variable]).await?;
    alice.stop()?;
    alice.is_configured(CONFIG)?;
    alice.restart_unlocked().await?;
    for _ in 0..2 {
        logind.inhibitor().await?;
    }
    for (path, mode) in [(world.path(), 0o755), (alice.socket(), 0o666)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(alice)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cover_is_lifted_by_who_shows_to_be_the_owner() -> Result<()> {
    let Some(bus) = Bus::new()? else {
        return Ok(());
    };
    if !can_be_another_user() {
        return Ok(());
    }
    let Some(polkit) = Polkit::start(&bus, Path::new(POLICY)).await? else {
        return Ok(());
    };
    let world = World::new().await?;
    let mut logind = Login1::start(&bus.address(), &[0]).await?;
    let alice = daemon(&world, &bus, &mut logind).await?;
    let mut desk = Desk::at(alice.socket())?;
    let agent = Agent::of(&bus, desk.process.id(), NOBODY).await?;

    // Nothing to lift, and nobody is bothered.
    assert_eq!(outcome(&desk.uncovers()?), "ok");
    assert_eq!(agent.asked(), 0);

    is_covered(&alice, &logind).await?;
    agent.recognises(false);
    let refused = desk.uncovers()?;
    assert_eq!(reason(&refused), ("presence", "not_proven"), "{refused}");
    assert_eq!(outcome(&desk.asks("account.get", &json!({}))?), "locked");

    agent.recognises(true);
    let lifted = desk.uncovers()?;
    assert_eq!(lifted["result"]["state"], "unlocked", "{lifted}");
    assert_eq!(outcome(&desk.asks("account.get", &json!({}))?), "ok");
    assert_eq!(agent.asked(), 2);

    // Keys that were wiped take the PIN.
    let mut raw = Raw::connect(alice.socket()).await?;
    assert_eq!(raw.outcome("session.lock", json!({})).await?, "ok");
    assert_eq!(outcome(&desk.uncovers()?), "locked");
    assert_eq!(agent.asked(), 2);

    // Nobody can tell who is there.
    let unlocked = raw.call("session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(unlocked["result"]["state"], "unlocked");
    is_covered(&alice, &logind).await?;
    drop(polkit);
    let refused = desk.uncovers()?;
    assert_eq!(reason(&refused), ("presence", "no_answer"), "{refused}");
    assert_eq!(outcome(&desk.asks("account.get", &json!({}))?), "locked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_recognises_persons_and_no_programs() -> Result<()> {
    let Some(bus) = Bus::new()? else {
        return Ok(());
    };
    let world = World::new().await?;
    let mut logind = Login1::start(&bus.address(), &[rustix::process::getuid().as_raw()]).await?;
    let alice = daemon(&world, &bus, &mut logind).await?;
    let mut raw = Raw::connect(alice.socket()).await?;
    let app = json!({"name": "kiosk", "scopes": ["session.unlock"]});
    let app = raw.call("apps.create", app).await?["result"].clone();
    is_covered(&alice, &logind).await?;
    let credentials = json!({"app_id": app["app_id"], "token": app["token"]});
    assert_eq!(
        raw.outcome("session.authenticate", credentials).await?,
        "ok"
    );
    assert_eq!(
        raw.outcome("session.uncover", json!({})).await?,
        "forbidden"
    );
    let unlocked = raw.call("session.unlock", json!({"pin": PIN})).await?;
    assert_eq!(unlocked["result"]["state"], "unlocked");
    Ok(())
}
