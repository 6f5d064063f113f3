//! A run from its beginning to its outcome.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use connect_points::Side;
use futures_util::future::join_all;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::check::check;
use super::collect::collect;
use super::follow::follow;
use super::keeper::Keeper;
use super::killer::{Killer, Kills};
use super::load::Load;
use super::notebook::Notebook;
use super::outcome::Outcome;
use super::points::{self, Visit};
use super::record::{Complaint, Record};
use super::relay_database::mailboxes;
use super::rest::come_to_rest;
use super::ward::Ward;
use crate::binaries;

/// Generous: a slow machine has a thousand messages to catch up with, and a daemon may wait a minute before it tries a
/// relay again that was dead for long.
const REST: Duration = Duration::from_mins(4);
/// How often the progress is told, in kills.
const TELL_EVERY: u64 = 10;

#[derive(Debug, Clone)]
pub struct Plan {
    pub kills: u64,
    pub seed: u64,
    pub daemons: usize,
    /// Senders for each pair of users and direction.
    pub senders: usize,
    /// A sender pauses up to this after each send.
    pub pace: Duration,
    /// Meet every fail point after the kills; takes an armed build.
    pub fail_points: bool,
}

impl Plan {
    pub fn new(kills: u64, seed: u64) -> Self {
        Self {
            kills,
            seed,
            daemons: 3,
            senders: 3,
            pace: Duration::from_millis(150),
            fail_points: false,
        }
    }
}

/// A ward whose events are followed.
#[derive(Debug)]
pub struct Run {
    pub ward: Ward,
    pub notebook: Arc<Notebook>,
    followers: JoinSet<()>,
    complaints: Vec<Complaint>,
    not_met: Vec<Complaint>,
}

impl Run {
    pub async fn open(dir: &Path, daemons: usize, rng: &mut ChaCha12Rng) -> Result<Self> {
        let ward = Ward::open(dir, daemons, rng).await?;
        let users = ward.members.iter().map(|member| member.user.as_str());
        let notebook = Arc::new(Notebook::new(users));
        let mut followers = JoinSet::new();
        for member in &ward.members {
            let (socket, user) = (member.socket.clone(), member.user.clone());
            let notebook = Arc::clone(&notebook);
            followers.spawn(async move { follow(&socket, &user, notebook).await });
        }
        Ok(Self {
            ward,
            notebook,
            followers,
            complaints: Vec::new(),
            not_met: Vec::new(),
        })
    }

    /// SIGKILL.
    pub async fn kill_daemon(&self, member: usize) -> bool {
        self.ward.members[member].keeper.kill().await.is_some()
    }

    /// SIGKILL.
    pub async fn kill_relay(&self) -> bool {
        self.ward.relay.kill().await.is_some()
    }

    /// Whether every process works again.
    pub async fn is_up(&self) -> bool {
        for keeper in self.ward.keepers() {
            if !keeper.is_up().await {
                return false;
            }
        }
        true
    }

    /// Returns what did not come to rest. A process that is down is not waited for.
    async fn rest(&self, tell: &impl Fn(&str)) -> Result<Vec<Complaint>> {
        if self.is_up().await {
            come_to_rest(&self.ward, &self.notebook, REST, tell).await
        } else {
            Ok(Vec::new())
        }
    }

    /// Note that so many sends have no answer.
    fn note_unanswered(&mut self, sends: usize) {
        if sends > 0 {
            self.complaints.push(Complaint {
                user: "all".to_owned(),
                what: format!("{sends} senders"),
            });
        }
    }

    /// Tries to meet every fail point; returns how many it met, and which it did not.
    async fn visit_points(
        &self,
        rng: &mut ChaCha12Rng,
        tell: &impl Fn(&str),
    ) -> Result<(u64, Vec<Complaint>)> {
        let (mut met, mut not_met) = (0, Vec::new());
        for visit in Visit::all(Side::Daemon).chain(Visit::all(Side::Relay)) {
            if points::visit(&self.ward, visit, rng).await? {
                met += 1;
                tell(&format!("met {visit}"));
            } else {
                not_met.push(Complaint {
                    user: "all".to_owned(),
                    what: visit.to_string(),
                });
            }
        }
        Ok((met, not_met))
    }

    /// Waits for rest, reads everything, ends every process and looks into the mailboxes.
    pub async fn close(self, tell: impl Fn(&str)) -> Result<Record> {
        let mut record = Record::default();
        let mut restless = self.rest(&tell).await?;
        if restless.is_empty() {
            // What is read then comes from the disk, and nothing from what a daemon remembers.
            let keepers = self.ward.keepers();
            join_all(keepers.map(Keeper::kill)).await;
            restless = self.rest(&tell).await?;
        }
        if self.is_up().await {
            record = collect(&self.ward, &self.notebook).await?;
        }
        record.restless = restless;
        drop(self.followers);
        let database = self.ward.relay_database();
        for member in self.ward.members {
            stop(member.keeper, &mut record).await;
        }
        stop(self.ward.relay, &mut record).await;
        record.mailboxes = mailboxes(&database).await?;
        record.unanswered = self.complaints;
        record.not_met = self.not_met;
        record.meddling = self.ward.meddler.done();
        Ok(record)
    }
}

async fn stop(keeper: Keeper, record: &mut Record) {
    let user = keeper.name.clone();
    if let Err(error) = keeper.stop().await {
        let what = format!("{error:#}");
        record.down.push(Complaint { user, what });
    }
}

/// `tell` gets a line of progress now and then.
pub async fn run(plan: &Plan, dir: &Path, tell: impl Fn(&str)) -> Result<Outcome> {
    ensure!(
        connect_points::ARMED || !plan.fail_points,
        "this build has no fail points: build it with --features failpoints"
    );
    // Built first, where they are not yet: that takes minutes, and none of the run's.
    binaries::path("connectd")?;
    let began = Instant::now();
    let mut rng = ChaCha12Rng::seed_from_u64(plan.seed);
    let mut run = Run::open(dir, plan.daemons, &mut rng).await?;
    let load = Load::start(&run.ward, &run.notebook, plan.senders, plan.pace, &mut rng);
    let killing = ChaCha12Rng::seed_from_u64(rng.next_u64());
    let mut killer = Killer::new(&run.ward, &run.notebook, killing);
    let mut told = 0;
    while killer.kills.total() < plan.kills && killer.step().await {
        if killer.kills.total() >= told + TELL_EVERY {
            told = killer.kills.total();
            tell(&progress(plan, killer.kills, &run.notebook, began));
        }
    }
    let kills = killer.kills;
    let (points, not_met) = if plan.fail_points {
        run.visit_points(&mut rng, &tell).await?
    } else {
        (0, Vec::new())
    };
    tell("waiting for the last answers");
    let unanswered = killer.finish(REST).await + load.stop(REST).await;
    run.note_unanswered(unanswered);
    run.not_met = not_met;
    let (messages, unknown) = run.notebook.progress();
    tell("waiting for everything to come to rest");
    let record = run.close(&tell).await?;
    let followed = record.told.values().map(|told| told.followed.len());
    let events: usize = followed.sum();
    Ok(Outcome {
        seed: plan.seed,
        kills,
        points,
        meddling: record.meddling,
        messages,
        unknown,
        events: u64::try_from(events)?,
        findings: check(&record),
        seconds: began.elapsed().as_secs_f64(),
        kept: None,
    })
}

fn progress(plan: &Plan, kills: Kills, notebook: &Notebook, began: Instant) -> String {
    let (messages, unknown) = notebook.progress();
    format!(
        "{:>4} s: {} of {} kills ({} relay, {} daemons), {messages} messages, {unknown} outcomes unknown and retried",
        began.elapsed().as_secs(),
        kills.total(),
        plan.kills,
        kills.relay,
        kills.daemons,
    )
}
