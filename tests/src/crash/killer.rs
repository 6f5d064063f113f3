//! Kills, as planned, until there were enough.

use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use serde::Serialize;
use tokio::sync::Notify;

use super::keeper::{Keeper, Stage};
use super::load::Burst;
use super::notebook::Notebook;
use super::plan::{Aim, Step, Victim};
use super::wall_clock::WallClock;
use super::ward::Ward;

/// How long a kill waits for what it is aimed at.
const PATIENCE: Duration = Duration::from_secs(1);
/// Kills in the middle of an unlock that are left to chance in a row: the vault lets four wrong PINs pass.
const LOST_UNLOCKS: u32 = 2;
const BURST: usize = 24;
/// Tells the bursts from the tasks of the load.
const FIRST_BURST: usize = 1_000_000;

/// Kills so far, and what they met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Kills {
    pub relay: u64,
    pub daemons: u64,
    pub while_starting: u64,
    pub while_unlocking: u64,
    /// No kills: jumps of a process's wall clock.
    pub clock_jumps: u64,
}

impl Kills {
    pub fn total(&self) -> u64 {
        self.relay + self.daemons
    }

    fn count(&mut self, victim: Victim, met: Stage) {
        match victim {
            Victim::Relay => self.relay += 1,
            Victim::Daemon(_) => self.daemons += 1,
        }
        match met {
            Stage::Starting => self.while_starting += 1,
            Stage::Unlocking => self.while_unlocking += 1,
            Stage::Up | Stage::Down | Stage::Stopped => {}
        }
    }
}

#[derive(Debug)]
pub(super) struct Killer<'w> {
    ward: &'w Ward,
    notebook: Arc<Notebook>,
    rng: ChaCha12Rng,
    pub(super) kills: Kills,
    bursts: Vec<Burst>,
}

impl<'w> Killer<'w> {
    pub(super) fn new(ward: &'w Ward, notebook: &Arc<Notebook>, rng: ChaCha12Rng) -> Self {
        Self {
            ward,
            notebook: Arc::clone(notebook),
            rng,
            kills: Kills::default(),
            bursts: Vec::new(),
        }
    }

    /// Returns false where a process is down for good: there is no point in going on.
    pub(super) async fn step(&mut self) -> bool {
        let step = Step::next(self.ward.members.len(), &mut self.rng);
        tokio::time::sleep(step.pause).await;
        let ward = self.ward;
        if let Some(victim) = step.jumps {
            let jumped = clock(ward, victim).jump(&mut self.rng);
            self.kills.clock_jumps += u64::from(jumped.is_ok());
        }
        let victim = keeper(ward, step.victim);
        let also = step.also.map(|also| (also, keeper(ward, also)));
        if !victim.is_up().await {
            return false;
        }
        if let Some((_, also)) = also
            && !also.is_up().await
        {
            return false;
        }
        self.take_aim(step.aim).await;
        let both = async {
            match also {
                Some((_, also)) => also.kill().await,
                None => None,
            }
        };
        let (met, also_met) = tokio::join!(victim.kill(), both);
        self.count(step.victim, met);
        if let Some((also, _)) = also {
            self.count(also, also_met);
        }
        if let Some(after) = step.again {
            self.kill_again(step.victim, after).await;
        }
        true
    }

    /// In the middle of starting or unlocking.
    async fn kill_again(&mut self, victim: Victim, after: Duration) {
        tokio::time::sleep(after).await;
        let keeper = keeper(self.ward, victim);
        let may = |now: &super::keeper::Standing| {
            now.stage == Stage::Up || now.lost_unlocks < LOST_UNLOCKS
        };
        if keeper.reaches(may).await {
            let met = keeper.kill().await;
            self.count(victim, met);
        }
    }

    fn count(&mut self, victim: Victim, met: Option<Stage>) {
        if let Some(met) = met {
            self.kills.count(victim, met);
        }
    }

    async fn take_aim(&mut self, aim: Aim) {
        let bell = match aim {
            Aim::Anytime => return,
            Aim::Burst(daemon) => return self.start_burst(daemon).await,
            Aim::Acknowledged(daemon) | Aim::Received(daemon) => {
                let bells = self.notebook.bells(&self.ward.members[daemon].user);
                bells.map(|bells| match aim {
                    Aim::Received(_) => &bells.received,
                    _ => &bells.acknowledged,
                })
            }
        };
        if let Some(bell) = bell {
            let _ = tokio::time::timeout(PATIENCE, Notify::notified(bell)).await;
        }
    }

    /// Its first answer is the moment to kill; the rest comes after it.
    async fn start_burst(&mut self, daemon: usize) {
        let members = &self.ward.members;
        self.bursts.retain(|burst| burst.pending() > 0);
        let task = FIRST_BURST + usize::try_from(self.kills.total()).unwrap_or(0);
        let (from, to) = (&members[daemon], &members[(daemon + 1) % members.len()]);
        let mut burst = Burst::start(from, to, task, BURST, &self.notebook, &mut self.rng);
        let _ = tokio::time::timeout(PATIENCE, burst.next()).await;
        self.bursts.push(burst);
    }

    /// Waits until every burst has all its answers; returns how many are missing when the time is up.
    pub(super) async fn finish(mut self, within: Duration) -> usize {
        let all = async {
            for burst in &mut self.bursts {
                while burst.next().await {}
            }
        };
        let _ = tokio::time::timeout(within, all).await;
        self.bursts.iter().map(Burst::pending).sum()
    }
}

fn clock(ward: &Ward, victim: Victim) -> &WallClock {
    match victim {
        Victim::Relay => &ward.relay_clock,
        Victim::Daemon(daemon) => &ward.members[daemon].clock,
    }
}

fn keeper(ward: &Ward, victim: Victim) -> &Keeper {
    match victim {
        Victim::Relay => &ward.relay,
        Victim::Daemon(daemon) => &ward.members[daemon].keeper,
    }
}
