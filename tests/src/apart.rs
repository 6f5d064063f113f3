//! A daemon of a world that is a process of its own, so that it can be killed and its disk can fail it alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use connect_api::account::Enroll;
use connect_api::contacts::{Add, UserParams};
use connect_api::conversation::Conversation;
use connect_api::errors::ErrorCode;
use connect_api::messages::{List, ListParams, Message};
use connect_api::session::{Pin, Unlock, UnlockParams};
use connect_api::system::Health;
use connect_client::client::Client;
use connect_client::endpoint::Endpoint;

use crate::processes::{Process, log_file, start_daemon_with};
use crate::world::{PIN, World, refusal};

/// Between two looks at what is waited for.
pub const POLL: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct Apart {
    process: Option<Process>,
    pub client: Client,
    pub state_dir: PathBuf,
    socket: PathBuf,
    config: PathBuf,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Apart {
    /// Enrolled in the world, and unlocked.
    pub async fn new(
        world: &World,
        name: &str,
        environment: Vec<(&'static str, PathBuf)>,
    ) -> Result<Self> {
        let apart = Self::stranger(world, name, environment)?;
        let enrollment = world.enrollment(name).await?;
        apart.client.call::<Enroll>(enrollment).await?;
        Ok(apart)
    }

    /// Not enrolled yet.
    pub fn stranger(
        world: &World,
        name: &str,
        environment: Vec<(&'static str, PathBuf)>,
    ) -> Result<Self> {
        let socket = world.path().join(format!("{name}.sock"));
        let config = world.path().join(format!("{name}.toml"));
        std::fs::write(
            &config,
            "[limits]\nsends_per_second = 1000000\nsend_burst = 1000000\n",
        )?;
        let mut apart = Self {
            process: None,
            client: Client::builder()
                .endpoint(Endpoint::new(socket.clone()))
                .lazy(),
            state_dir: world.path().join(name),
            socket,
            config,
            environment,
        };
        apart.start()?;
        Ok(apart)
    }

    /// The next process has this beside the environment of the test, and nothing that this one had.
    pub fn change_environment(&mut self, environment: Vec<(&'static str, PathBuf)>) {
        self.environment = environment;
    }

    /// From the next process on.
    pub fn has_in_environment(&mut self, name: &'static str, value: impl Into<PathBuf>) {
        self.environment.push((name, value.into()));
    }

    /// More of a configuration, from the next process on.
    pub fn is_configured(&mut self, more: &str) -> Result<()> {
        let config = std::fs::read_to_string(&self.config)?;
        Ok(std::fs::write(&self.config, config + more)?)
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Of the process that runs.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// What its processes logged.
    pub fn log(&self) -> PathBuf {
        log_file(&self.socket)
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub fn start(&mut self) -> Result<()> {
        let config = Some(self.config.as_path());
        let environment = &self.environment;
        self.process = Some(start_daemon_with(
            &self.state_dir,
            &self.socket,
            config,
            environment,
        )?);
        Ok(())
    }

    /// As a service manager would.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().context("it runs")?.stop()
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("it runs")?.kill()
    }

    pub async fn restart_unlocked(&mut self) -> Result<()> {
        self.start()?;
        let unlocked = self.unlock().await?;
        unlocked.map_err(|code| anyhow::anyhow!(code.message()))
    }

    /// The code where it was refused.
    pub async fn unlock(&self) -> Result<std::result::Result<(), ErrorCode>> {
        let pin = Pin::new(PIN.to_owned());
        match self.client.call::<Unlock>(UnlockParams { pin }).await {
            Ok(_) => Ok(Ok(())),
            refused => Ok(Err(refusal(refused)?)),
        }
    }

    pub async fn adds(&self, user: &str) -> Result<()> {
        let user_id = user.to_owned();
        self.client.call::<Add>(UserParams { user_id }).await?;
        Ok(())
    }

    /// Sends under a reference; the code where it was refused.
    pub async fn sends(
        &self,
        to: &str,
        text: &str,
        reference: &str,
    ) -> Result<std::result::Result<String, ErrorCode>> {
        let to = Conversation::User(to.to_owned());
        let reference = Some(reference.to_owned());
        match self.client.send_text(to, text, reference).await {
            Ok(sent) => Ok(Ok(sent.message_id)),
            refused => Ok(Err(refusal(refused)?)),
        }
    }

    pub async fn reads(&self, with: &str) -> Result<Vec<Message>> {
        history(&self.client, with).await
    }

    /// Asks how it is until it is so.
    pub async fn is(&self, so: impl Fn(&Health) -> bool) -> Result<Health> {
        loop {
            let health = self.client.health().await?;
            if so(&health) {
                return Ok(health);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// A conversation's messages, oldest first.
pub async fn history(client: &Client, with: &str) -> Result<Vec<Message>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let params = ListParams {
            conversation: Conversation::User(with.to_owned()),
            before: None,
            after,
            limit: Some(50),
        };
        let page = client.call::<List>(params).await?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            all.reverse();
            return Ok(all);
        }
    }
}

/// Waits until a conversation has so many messages.
pub async fn history_of(client: &Client, with: &str, count: usize) -> Result<Vec<Message>> {
    loop {
        let all = history(client, with).await?;
        if all.len() >= count {
            return Ok(all);
        }
        tokio::time::sleep(POLL).await;
    }
}
