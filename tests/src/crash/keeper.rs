//! Keeps one process alive: starts it again whenever it was killed, and brings it to where it works.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use parking_lot::Mutex;
use std::os::unix::process::ExitStatusExt as _;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How far a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Starting,
    Unlocking,
    Up,
    /// It ended by itself or did not come up; it stays down.
    Down,
    /// It was asked to end, and did.
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) stage: Stage,
    /// Kills in the middle of an unlock since the last one that succeeded: the vault counts each as a wrong PIN (D23).
    pub(super) lost_unlocks: u32,
}

/// A kill, answered with the stage that it met.
type Kill = oneshot::Sender<Stage>;

/// How a kind of process is started and brought up.
pub(super) trait Program: Send + Sync + 'static {
    fn command(&self) -> Result<Command>;

    /// Returns once it works; says when it begins to unlock.
    fn come_up(
        &self,
        child: &mut Child,
        enter: &(dyn Fn(Stage) + Sync),
    ) -> impl Future<Output = Result<()>> + Send;
}

/// The way to a process that is kept.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) name: String,
    pub(super) log: PathBuf,
    armed: Arc<Mutex<Option<String>>>,
    kills: mpsc::Sender<Kill>,
    standing: watch::Receiver<Standing>,
    ending: CancellationToken,
    task: AbortOnDropHandle<Result<()>>,
}

impl Keeper {
    pub(super) fn start(name: &str, log: &Path, program: impl Program) -> Self {
        let (kills, killed) = mpsc::channel(1);
        let (standing, seen) = watch::channel(Standing {
            stage: Stage::Starting,
            lost_unlocks: 0,
        });
        let ending = CancellationToken::new();
        let armed = Arc::new(Mutex::new(None));
        let kept = Kept {
            program,
            armed: Arc::clone(&armed),
            may_abort: false,
            log: log.to_owned(),
            killed,
            standing,
            ending: ending.clone(),
        };
        Self {
            name: name.to_owned(),
            log: log.to_owned(),
            armed,
            kills,
            standing: seen,
            ending,
            task: AbortOnDropHandle::new(tokio::spawn(kept.run())),
        }
    }

    /// Waits for a standing, and returns false where it can no longer come.
    pub(super) async fn reaches(&self, wanted: impl Fn(&Standing) -> bool) -> bool {
        let mut standing = self.standing.clone();
        let reached = standing
            .wait_for(|now| wanted(now) || now.stage >= Stage::Down)
            .await;
        reached.is_ok_and(|now| wanted(&now))
    }

    pub(super) async fn is_up(&self) -> bool {
        self.reaches(|now| now.stage == Stage::Up).await
    }

    /// What its next process finds in `FAILPOINTS`; the one after that finds nothing.
    pub(super) fn arm(&self, setting: String) {
        *self.armed.lock() = Some(setting);
    }

    /// SIGKILL, whatever it is doing; returns what that was once the process is gone.
    pub(super) async fn kill(&self) -> Option<Stage> {
        let (killed, stage) = oneshot::channel();
        self.kills.send(killed).await.ok()?;
        stage.await.ok()
    }

    /// Asks it to end, and waits until it did, or tells why it is down.
    pub(super) async fn stop(self) -> Result<()> {
        self.ending.cancel();
        self.task.await?
    }
}

struct Kept<P> {
    program: P,
    armed: Arc<Mutex<Option<String>>>,
    /// It was told to end by itself somewhere.
    may_abort: bool,
    log: PathBuf,
    killed: mpsc::Receiver<Kill>,
    standing: watch::Sender<Standing>,
    ending: CancellationToken,
}

impl<P: Program> Kept<P> {
    async fn run(mut self) -> Result<()> {
        let outcome = self.keep().await;
        let last = if outcome.is_ok() {
            Stage::Stopped
        } else {
            Stage::Down
        };
        self.enter(last);
        outcome
    }

    fn enter(&self, stage: Stage) {
        self.standing.send_modify(|now| now.stage = stage);
    }

    /// Until it is asked to end.
    async fn keep(&mut self) -> Result<()> {
        loop {
            self.enter(Stage::Starting);
            let mut child = self.launch()?;
            let killed = tokio::select! {
                broken = live(&self.program, &self.standing, &mut child) => {
                    if self.may_abort && aborted(&mut child).await? {
                        self.note_kill(None);
                        continue;
                    }
                    bail!(broken)
                }
                killed = self.killed.recv() => killed,
                () = self.ending.cancelled() => return terminate(child).await,
            };
            child.kill().await?;
            self.note_kill(killed);
        }
    }

    fn launch(&mut self) -> Result<Child> {
        let mut command = self.program.command()?;
        let armed = self.armed.lock().take();
        self.may_abort = armed.is_some();
        if let Some(setting) = armed {
            command.env("FAILPOINTS", setting);
        }
        Ok(command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(open_log(&self.log)?)
            .kill_on_drop(true)
            .spawn()?)
    }

    fn note_kill(&self, killed: Option<Kill>) {
        let met = self.standing.borrow().stage;
        if met == Stage::Unlocking {
            self.standing.send_modify(|now| now.lost_unlocks += 1);
        }
        if let Some(killed) = killed {
            // The next round has not begun: who asked for the kill finds the process starting.
            self.enter(Stage::Starting);
            killed.send(met).ok();
        }
    }
}

/// Brings a process up and watches it; returns only when it does not live, with the reason.
async fn live(
    program: &impl Program,
    standing: &watch::Sender<Standing>,
    child: &mut Child,
) -> String {
    let enter = |stage| standing.send_modify(|now| now.stage = stage);
    if let Err(error) = program.come_up(child, &enter).await {
        return format!("did not come up: {error:#}");
    }
    standing.send_replace(Standing {
        stage: Stage::Up,
        lost_unlocks: 0,
    });
    match child.wait().await {
        Ok(status) => format!("ended by itself with {status}"),
        Err(error) => format!("was lost: {error}"),
    }
}

async fn aborted(child: &mut Child) -> Result<bool> {
    let abort = rustix::process::Signal::ABORT.as_raw();
    Ok(child.wait().await?.signal() == Some(abort))
}

async fn terminate(mut child: Child) -> Result<()> {
    let id = child.id().context("it was not waited for")?;
    let pid = rustix::process::Pid::from_raw(id.try_into()?).context("a process id")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    let status = child.wait().await?;
    ensure!(status.success(), "asked to end, it ended with {status}");
    Ok(())
}

fn open_log(path: &Path) -> Result<File> {
    Ok(OpenOptions::new().append(true).create(true).open(path)?)
}
