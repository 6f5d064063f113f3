//! A real polkitd on a bus of a test's own, and an agent that answers it as a person with a reader before them would.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use zbus::fdo::{self, DBusProxy};
use zbus::names::BusName;
use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, connection, interface};

use crate::keyring::{Bus, must_be_there};

const POLKITD: &str = "/usr/lib/polkit-1/polkitd";
const NAME: &str = "org.freedesktop.PolicyKit1";
const PATH: &str = "/org/freedesktop/PolicyKit1/Authority";
const AUTHORITY: &str = "org.freedesktop.PolicyKit1.Authority";
const AGENT: &str = "/org/connectd/tests/Agent";
/// What is installed on the host is not touched: polkitd sees these in place of the host's.
const IN_PLACE: &str = "mount --bind \"$1\" /usr/share/polkit-1/actions && \
     mount --bind \"$2\" /etc/polkit-1/rules.d && exec /usr/lib/polkit-1/polkitd --no-debug";
/// Nobody sits before a machine that runs tests.
const RULES: &str = r#"polkit.addRule(function(action, subject) {
    if (action.id == "org.connectd.uncover") { return polkit.Result.AUTH_SELF; }
});"#;
/// Between two looks at whether it is on the bus.
const POLL: Duration = Duration::from_millis(20);

/// Ends with its owner.
#[derive(Debug)]
pub struct Polkit {
    process: Child,
    _home: TempDir,
}

impl Drop for Polkit {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Polkit {
    /// With the action of `policy`. None where it is not installed or may not run, unless it has to be there.
    pub async fn start(bus: &Bus, policy: &Path) -> Result<Option<Self>> {
        if !can_run() {
            return Ok(None);
        }
        bus.is_open_to_all()?;
        let home = tempfile::tempdir()?;
        let (actions, rules) = (home.path().join("actions"), home.path().join("rules.d"));
        for path in [&actions, &rules] {
            std::fs::create_dir(path)?;
        }
        std::fs::copy(policy, actions.join("org.connectd.policy"))?;
        std::fs::write(rules.join("10-test.rules"), RULES)?;
        for path in [home.path(), &actions, &rules] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
        }
        let process = Command::new("unshare")
            .args(["--mount", "sh", "-c", IN_PLACE, "sh"])
            .args([&actions, &rules])
            .env("DBUS_SYSTEM_BUS_ADDRESS", bus.address())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut polkit = Self {
            process,
            _home: home,
        };
        polkit.is_on(bus).await?;
        Ok(Some(polkit))
    }

    async fn is_on(&mut self, bus: &Bus) -> Result<()> {
        let connection = connection::Builder::address(bus.address().as_str())?
            .build()
            .await?;
        let names = DBusProxy::new(&connection).await?;
        while !names.name_has_owner(BusName::try_from(NAME)?).await? {
            anyhow::ensure!(self.process.try_wait()?.is_none(), "polkitd ended");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests learns what was not tested"
)]
fn can_run() -> bool {
    let unshared = Command::new("unshare").args(["--mount", "true"]).output();
    let can = Path::new(POLKITD).exists() && unshared.is_ok_and(|out| out.status.success());
    assert!(
        can || !must_be_there(),
        "polkitd has to be here, and mount namespaces: apt-get install polkitd"
    );
    if !can {
        eprintln!(
            "\nNOT TESTED: who is there by polkit, since it is not here: apt-get install polkitd\n"
        );
    }
    can
}

/// What a desktop has for polkit: it asks the person.
#[derive(Debug)]
pub struct Agent {
    _connection: Connection,
    asked: Arc<AtomicUsize>,
    recognises: Arc<AtomicBool>,
}

struct Served {
    asked: Arc<AtomicUsize>,
    recognises: Arc<AtomicBool>,
}

type Identity = (String, HashMap<String, OwnedValue>);

#[interface(name = "org.freedesktop.PolicyKit1.AuthenticationAgent")]
impl Served {
    #[expect(clippy::too_many_arguments, reason = "polkit's interface")]
    async fn begin_authentication(
        &self,
        action: String,
        message: String,
        icon: String,
        details: HashMap<String, String>,
        cookie: String,
        identities: Vec<Identity>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // What a dialog would show.
        drop((action, message, icon, details));
        if !self.recognises.load(Ordering::SeqCst) {
            return Ok(());
        }
        let identity = identities.into_iter().next();
        let identity = identity.ok_or(fdo::Error::InvalidArgs("nobody".to_owned()))?;
        let answer = (rustix::process::getuid().as_raw(), cookie, identity);
        let method = "AuthenticationAgentResponse2";
        connection
            .call_method(Some(NAME), PATH, Some(AUTHORITY), method, &answer)
            .await?;
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "polkit's interface")]
    fn cancel_authentication(&self, cookie: String) {
        drop(cookie);
    }
}

impl Agent {
    /// For what this process asks.
    pub async fn of(bus: &Bus, pid: u32, uid: u32) -> Result<Self> {
        let served = Served {
            asked: Arc::default(),
            recognises: Arc::default(),
        };
        let (asked, recognises) = (Arc::clone(&served.asked), Arc::clone(&served.recognises));
        let connection = connection::Builder::address(bus.address().as_str())?
            .serve_at(AGENT, served)?
            .build()
            .await?;
        let facts: HashMap<&str, Value<'_>> = HashMap::from([
            ("pid", pid.into()),
            ("start-time", started(pid)?.into()),
            ("uid", i32::try_from(uid)?.into()),
        ]);
        let agent = (("unix-process", facts), "C", AGENT);
        let method = "RegisterAuthenticationAgent";
        connection
            .call_method(Some(NAME), PATH, Some(AUTHORITY), method, &agent)
            .await?;
        Ok(Self {
            _connection: connection,
            asked,
            recognises,
        })
    }

    /// Who is there from now on: the owner, or somebody else.
    pub fn recognises(&self, owner: bool) {
        self.recognises.store(owner, Ordering::SeqCst);
    }

    /// How often somebody was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn started(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after) = stat.rsplit_once(')').context("a command in brackets")?;
    let field = after.split_whitespace().nth(19);
    Ok(field.context("22 fields")?.parse()?)
}

impl Bus {
    /// Daemons of the system are no user's own.
    fn is_open_to_all(&self) -> io::Result<()> {
        let address = self.address();
        let socket = Path::new(address.trim_start_matches("unix:path="));
        if let Some(home) = socket.parent() {
            std::fs::set_permissions(home, std::fs::Permissions::from_mode(0o711))?;
        }
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o777))
    }
}
