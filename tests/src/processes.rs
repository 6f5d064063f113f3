//! Relay and daemons as processes of their own, started by the commands that the README names.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::{binaries, canary};

/// A process that ends with its owner: asked first, as a service manager would.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGTERM, and wait for the end.
    pub fn stop(mut self) -> Result<()> {
        self.signal()?;
        let status = self.0.wait()?;
        ensure!(status.success(), "ended with {status}");
        Ok(())
    }

    /// SIGKILL: no chance to say anything.
    pub fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    fn signal(&self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.0);
        Ok(rustix::process::kill_process(
            pid,
            rustix::process::Signal::TERM,
        )?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whoever stopped it has waited for it; otherwise a test failed, and nothing may be left running.
        if matches!(self.0.try_wait(), Ok(None)) && self.0.kill().is_ok() {
            self.0.wait().ok();
        }
    }
}

/// Starts `connect-relay run` and returns the address that it says it listens on.
pub fn start_relay(state_dir: &Path, listen: &str) -> Result<(Process, String)> {
    let log = canary::child_log("relay")?;
    let mut child = Command::new(binaries::path("connect-relay")?)
        .arg("run")
        .arg("--state-dir")
        .arg(state_dir)
        .args(["--listen", listen])
        .args(["--log", canary::filter("info")])
        .stdout(Stdio::piped())
        .stderr(log.map_or_else(Stdio::null, Stdio::from))
        .spawn()?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line
        .trim()
        .strip_prefix("listening on ")
        .context("the relay says where it listens")?;
    Ok((process, address.to_owned()))
}

/// Starts `connectd run`, logging everything into a file, and returns once it says that it answers.
pub fn start_daemon(state_dir: &Path, socket: &Path, config: Option<&Path>) -> Result<Process> {
    start_logging(state_dir, socket, config, "trace", &[])
}

/// As an administrator would, with variables beside those of the test.
pub fn start_daemon_with(
    state_dir: &Path,
    socket: &Path,
    config: Option<&Path>,
    environment: &[(&'static str, PathBuf)],
) -> Result<Process> {
    start_logging(state_dir, socket, config, "info", environment)
}

/// As an administrator would run it.
pub fn start_quiet_daemon(state_dir: &Path, socket: &Path) -> Result<Process> {
    start_logging(state_dir, socket, None, "info", &[])
}

fn start_logging(
    state_dir: &Path,
    socket: &Path,
    config: Option<&Path>,
    filter: &str,
    environment: &[(&'static str, PathBuf)],
) -> Result<Process> {
    let mut command = Command::new(binaries::path("connectd")?);
    command
        .arg("run")
        .arg("--state-dir")
        .arg(state_dir)
        .arg("--socket")
        .arg(socket)
        .args(["--log", canary::filter(filter)])
        // Whoever runs the tests may lock a screen meanwhile.
        .env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stderr(Stdio::piped());
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let mut child = command.spawn()?;
    let stderr = child.stderr.take().context("stderr is piped")?;
    let process = Process(child);
    let mut lines = BufReader::new(stderr).lines();
    let log = log_file(socket);
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(&log)?;
    let mut aside = canary::child_log("connectd")?;
    let mut keep = move |line: &str| -> std::io::Result<()> {
        let line = format!("{line}\n");
        if let Some(aside) = &mut aside {
            aside.write_all(line.as_bytes())?;
        }
        file.write_all(line.as_bytes())
    };
    for line in lines.by_ref() {
        let line = line?;
        keep(&line)?;
        if line.contains("connectd answers") {
            std::thread::spawn(move || {
                for line in lines.map_while(Result::ok) {
                    keep(&line).ok();
                }
            });
            return Ok(process);
        }
    }
    anyhow::bail!("connectd ended before it answered: see {}", log.display())
}

/// What a daemon logged.
pub fn log_file(socket: &Path) -> PathBuf {
    socket.with_extension("log")
}

/// Runs a command to its end.
pub fn run(name: &str, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binaries::path(name)?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?)
}

/// Runs a command that has to succeed, and returns what it printed.
pub fn succeed(name: &str, arguments: &[&str]) -> Result<String> {
    let output = run(name, arguments)?;
    ensure!(
        output.status.success(),
        "{name} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}
