//! A bus of a test's own, and a real GNOME Keyring on it: nobody else's keyring is touched.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

const PASSWORD: &[u8] = b"the password of the login";
/// Set by who runs the tests where a keyring has to be there: in CI.
const MUST_BE_THERE: &str = "CONNECT_TESTS_NEED_KEYRING";
const PROGRAMS: [&str; 3] = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon"];
const NOT_TESTED: &str = "\nNOT TESTED: what needs a bus or a keyring, since dbus-daemon, dbus-send or gnome-keyring-daemon are not here: \
    apt-get install dbus gnome-keyring\n";
/// Between two looks at whether the keyring is on the bus.
const POLL: Duration = Duration::from_millis(20);

/// Nothing is started on demand: what is not running is not there.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=SOCKET</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy></busconfig>"#;

/// A bus on which nobody is but who comes. It ends with its owner.
#[derive(Debug)]
pub struct Bus {
    home: TempDir,
    _daemon: Running,
}

/// A bus, and perhaps a keyring on it. Both end with their owner.
#[derive(Debug)]
pub struct Desktop {
    bus: Bus,
    keyring: Option<Running>,
}

#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Bus {
    /// None where the program is not installed, unless it has to be.
    pub fn new() -> io::Result<Option<Self>> {
        if !are_here(&PROGRAMS[..1])? {
            return Ok(None);
        }
        Self::in_place(tempfile::tempdir()?).map(Some)
    }

    fn in_place(home: TempDir) -> io::Result<Self> {
        let config = home.path().join("bus.conf");
        let socket = home.path().join("bus").display().to_string();
        std::fs::write(&config, BUS.replace("SOCKET", &socket))?;
        let mut child = Command::new("dbus-daemon")
            .arg("--config-file")
            .arg(&config)
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let daemon = Running(child);
        // It prints its address once it listens.
        BufReader::new(stdout).read_line(&mut String::new())?;
        Ok(Self {
            home,
            _daemon: daemon,
        })
    }

    pub fn address(&self) -> String {
        format!("unix:path={}", self.home.path().join("bus").display())
    }
}

impl Desktop {
    /// A bus on which nobody is yet. None where the programs are not installed, unless they have to be.
    pub fn new() -> io::Result<Option<Self>> {
        if !are_here(&PROGRAMS)? {
            return Ok(None);
        }
        Ok(Bus::new()?.map(|bus| Self { bus, keyring: None }))
    }

    /// The bus's address.
    pub fn bus(&self) -> String {
        self.bus.address()
    }

    /// A keyring as after a login: open, and made where there was none.
    pub fn log_in(&mut self) -> io::Result<()> {
        self.start(&["--unlock"])
    }

    /// A keyring as before a login: what there is, is locked.
    pub fn start_locked(&mut self) -> io::Result<()> {
        self.start(&[])
    }

    /// The keyring's process ends without a chance to write anything down.
    pub fn kill_keyring(&mut self) {
        self.keyring = None;
    }

    /// What the keyring keeps on the disk.
    pub fn files(&self) -> PathBuf {
        self.bus.home.path().join("data").join("keyrings")
    }

    fn start(&mut self, arguments: &[&str]) -> io::Result<()> {
        self.kill_keyring();
        let control = self.directory("control")?;
        let mut child = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--components=secrets"])
            .arg("--control-directory")
            .arg(&control)
            .args(arguments)
            .env("HOME", self.bus.home.path())
            .env("XDG_DATA_HOME", self.directory("data")?)
            .env("XDG_RUNTIME_DIR", self.directory("run")?)
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take();
        self.keyring = Some(Running(child));
        // It reads the password to the end of its input.
        stdin
            .ok_or(io::ErrorKind::BrokenPipe)?
            .write_all(if arguments.is_empty() { b"" } else { PASSWORD })?;
        while !self.is_on_the_bus()? {
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    fn is_on_the_bus(&mut self) -> io::Result<bool> {
        if let Some(keyring) = &mut self.keyring
            && let Some(status) = keyring.0.try_wait()?
        {
            return Err(io::Error::other(format!("the keyring ended: {status}")));
        }
        let asked = Command::new("dbus-send")
            .args(["--print-reply", "--dest=org.freedesktop.DBus"])
            .arg(format!("--bus={}", self.bus()))
            .args(["/org/freedesktop/DBus", "org.freedesktop.DBus.GetNameOwner"])
            .arg("string:org.freedesktop.secrets")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(asked.success())
    }

    fn directory(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.bus.home.path().join(name);
        make_private(&path)?;
        Ok(path)
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn are_here(programs: &[&str]) -> io::Result<bool> {
    if programs.iter().all(|program| is_installed(program)) {
        return Ok(true);
    }
    if must_be_there() {
        return Err(io::Error::other(NOT_TESTED));
    }
    io::stderr().write_all(NOT_TESTED.as_bytes()).ok();
    Ok(false)
}

pub(crate) fn must_be_there() -> bool {
    std::env::var_os(MUST_BE_THERE).is_some()
}

fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
