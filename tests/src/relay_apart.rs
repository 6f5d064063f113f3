//! A world's relay as a process of its own behind a tally, so that it can be killed in the middle of a chunk.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::processes::{Process, start_relay};
use crate::tally::Tally;
use crate::world::World;

#[derive(Debug)]
pub struct RelayApart {
    process: Option<Process>,
    state_dir: PathBuf,
    pub tally: Tally,
}

impl RelayApart {
    /// Stops the world's own relay and goes on with its accounts. Whoever asks under its address gets here by the tally.
    pub async fn in_place_of(world: &mut World) -> Result<Self> {
        world.stop_relay().await;
        let (address, state_dir) = (world.relay_address().parse()?, world.relay_dir());
        stands_behind(&state_dir, address)?;
        let mut relay = Self {
            process: None,
            tally: Tally::start(address, &state_dir).await?,
            state_dir,
        };
        relay.start()?;
        Ok(relay)
    }

    /// On any port: while it was dead, somebody may have taken the one that it had.
    pub fn start(&mut self) -> Result<()> {
        let (process, address) = start_relay(&self.state_dir, "127.0.0.1:0")?;
        self.tally.leads_to(address.parse()?);
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("it runs")?.kill()
    }
}

/// As an administrator would tell a relay behind a port forward.
pub fn stands_behind(relay_dir: &Path, address: SocketAddr) -> Result<()> {
    let path = relay_dir.join(connect_relay::settings::FILE);
    let settings = std::fs::read_to_string(&path)?;
    let told = settings.replace(
        "authorities = []",
        &format!("authorities = [\"{address}\"]"),
    );
    ensure!(told != settings, "relay.toml has no authorities to replace");
    Ok(std::fs::write(&path, told)?)
}
