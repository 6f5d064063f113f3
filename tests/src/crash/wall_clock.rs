//! A wall clock of its own for each process, which jumps.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use anyhow::Result;
use rand_core::RngCore;
use tokio::process::Command;

/// A relay is followed within a day (D30): two clocks may be off in opposite directions.
const FARTHEST_MS: i64 = 10 * 3_600_000;
/// What a clock that is set by hand or by the network is usually off by.
const NEAR_MS: i64 = 600_000;

/// The clock of the processes that are started with it.
#[derive(Debug, Clone)]
pub(super) struct WallClock {
    pub(super) shim: PathBuf,
    pub(super) offset: PathBuf,
}

impl WallClock {
    pub(super) fn set_up(&self, command: &mut Command) -> Result<()> {
        if !self.offset.exists() {
            std::fs::write(&self.offset, 0_i64.to_ne_bytes())?;
        }
        command
            .env("LD_PRELOAD", &self.shim)
            .env("CONNECT_CLOCK", &self.offset);
        Ok(())
    }

    /// At once, also for a process that runs: ahead or back, seldom right.
    pub(super) fn jump(&self, rng: &mut impl RngCore) -> Result<()> {
        let share = i64::from(rng.next_u32()) - i64::from(u32::MAX / 2);
        let farthest = match rng.next_u32() % 5 {
            0 => 0,
            1 => FARTHEST_MS,
            _ => NEAR_MS,
        };
        let offset = share * (farthest / 1000) / (i64::from(u32::MAX / 2) / 1000);
        let file = std::fs::File::options().write(true).open(&self.offset)?;
        // Written in place: the processes have it mapped.
        Ok(file.write_all_at(&offset.to_ne_bytes(), 0)?)
    }
}
