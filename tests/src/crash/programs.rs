//! The two programs that are killed, as an administrator runs them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use connect_api::errors::ErrorCode;
use connect_api::session::{Pin, Unlock, UnlockParams};
use connect_api::system::State;
use connect_client::client::Client;
use connect_client::endpoint::Endpoint;
use connect_client::error::CallError;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::keeper::{Program, Stage};
use super::wall_clock::WallClock;
use crate::at_rest::PIN;
use crate::binaries;

#[derive(Debug)]
pub(super) struct RelayProgram {
    pub(super) state_dir: PathBuf,
    pub(super) address: String,
    pub(super) clock: WallClock,
}

impl Program for RelayProgram {
    fn command(&self) -> Result<Command> {
        let mut command = Command::new(binaries::path("connect-relay")?);
        command
            .arg("run")
            .arg("--state-dir")
            .arg(&self.state_dir)
            .args(["--listen", &self.address, "--log", "info"]);
        self.clock.set_up(&mut command)?;
        Ok(command)
    }

    async fn come_up(&self, child: &mut Child, _: &(dyn Fn(Stage) + Sync)) -> Result<()> {
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        ensure!(
            line.starts_with("listening on "),
            "it does not say where it listens"
        );
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct DaemonProgram {
    pub(super) state_dir: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) config: PathBuf,
    pub(super) clock: WallClock,
}

impl Program for DaemonProgram {
    fn command(&self) -> Result<Command> {
        let mut command = Command::new(binaries::path("connectd")?);
        command
            .arg("run")
            .arg("--state-dir")
            .arg(&self.state_dir)
            .arg("--socket")
            .arg(&self.socket)
            .arg("--config")
            .arg(&self.config)
            .args(["--log", "info"]);
        self.clock.set_up(&mut command)?;
        Ok(command)
    }

    async fn come_up(&self, child: &mut Child, enter: &(dyn Fn(Stage) + Sync)) -> Result<()> {
        let client = Client::builder()
            .endpoint(Endpoint::new(self.socket.clone()))
            .lazy();
        let state = tokio::select! {
            state = hello(&client) => state,
            status = child.wait() => anyhow::bail!("it ended with {}", status?),
        };
        if state != State::Locked {
            return Ok(());
        }
        enter(Stage::Unlocking);
        let pin = Pin::new(PIN.to_owned());
        loop {
            match client
                .call::<Unlock>(UnlockParams { pin: pin.clone() })
                .await
            {
                Err(CallError::Daemon {
                    code: ErrorCode::StorageFailed,
                    ..
                }) if connect_points::ARMED => {}
                answer => return Ok(answer.map(|_| ())?),
            }
        }
    }
}

/// Until it answers: the socket of the one before it is still there, and refuses.
async fn hello(client: &Client) -> State {
    loop {
        if let Ok(answer) = client.hello().await {
            return answer.state;
        }
    }
}
