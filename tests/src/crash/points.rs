//! Every fail point with everything that it can be told, one after the other, under the same load as the kills.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use connect_points::{Action, Point, Side};
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore as _;
use tokio::time::Instant;

use super::keeper::Keeper;
use super::ward::Ward;

/// Generous: most points are passed several times in a second.
// Longer than a daemon may rest that was refused: only what it sends next meets the point.
const PATIENCE: Duration = Duration::from_mins(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A point is passed up to so many times before it obeys.
const MOST_PASSED: u32 = 6;

/// A point and what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Visit {
    pub point: Point,
    pub action: Action,
}

impl std::fmt::Display for Visit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.point.name(), self.action.word())
    }
}

impl Visit {
    /// All that a process at work or one that enrolls can meet.
    pub fn all(side: Side) -> impl Iterator<Item = Self> {
        let points = Point::ALL.iter().filter(move |point| point.side() == side);
        points.flat_map(|&point| {
            let actions = point.actions().iter();
            actions.map(move |&action| Self { point, action })
        })
    }

    /// For `FAILPOINTS`.
    pub fn setting(self, passed_before: u32) -> String {
        let name = self.point.name();
        format!(
            "{name}={passed_before}*off->1*return({})",
            self.action.word()
        )
    }

    /// How often a log says that it happened.
    pub fn count(self, log: &Path) -> Result<usize> {
        let line = format!("fail point {self}");
        let log = std::fs::read_to_string(log)?;
        Ok(log.lines().filter(|read| *read == line).count())
    }
}

/// Arms one process, starts it anew, and waits until it obeyed and works again. Returns false where it did not.
pub(super) async fn visit(ward: &Ward, visit: Visit, rng: &mut ChaCha12Rng) -> Result<bool> {
    let keeper = keeper(ward, visit.point.side(), rng);
    let before = visit.count(&keeper.log)?;
    // A file is replaced once or twice in the life of a process.
    let passed = match visit.point {
        Point::BeforeRename | Point::AfterRename => 0,
        _ => rng.next_u32() % MOST_PASSED,
    };
    keeper.arm(visit.setting(passed));
    keeper.kill().await;
    let deadline = Instant::now() + PATIENCE;
    while visit.count(&keeper.log)? == before {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(keeper.is_up().await)
}

fn keeper<'w>(ward: &'w Ward, side: Side, rng: &mut ChaCha12Rng) -> &'w Keeper {
    let daemon = rng.next_u32() as usize % ward.members.len();
    match side {
        Side::Relay => &ward.relay,
        Side::Daemon | Side::Enrollment | Side::Rotation => &ward.members[daemon].keeper,
    }
}
