//! What came of the copies so far: which cannot be made, and what waits for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use connect_store::attachments::Life;
use connect_store::cases::copying::{Due, Here};
use connect_uplink::backoff::Backoff;
use tokio::time::Instant;

use crate::error::Error;
use crate::unlocked::Unlocked;

/// Rounds in which some of one joiner's files may fail, with pauses of up to a minute; then the others are all that there is.
const TRIES: u32 = 30;

/// For one joiner, until it is done or asked for anew.
struct Effort {
    given_up: BTreeSet<Life>,
    failures: u32,
    pause: Pause,
}

struct Pause {
    backoff: Backoff,
    until: Option<Instant>,
}

impl Pause {
    fn new() -> Self {
        Self {
            backoff: Backoff::new(),
            until: None,
        }
    }

    fn begin(&mut self, unlocked: &Unlocked, at_least: Duration) {
        let pause = self.backoff.next_delay(&mut unlocked.chance.clone());
        self.until = Some(Instant::now() + pause.max(at_least));
    }

    fn is_over(&self) -> bool {
        self.until.is_none_or(|until| until <= Instant::now())
    }
}

pub(super) struct Efforts {
    of: BTreeMap<Due, Effort>,
    /// After what keeps everything back.
    pause: Pause,
}

impl Efforts {
    pub(super) fn new() -> Self {
        Self {
            of: BTreeMap::new(),
            pause: Pause::new(),
        }
    }

    /// Forgets whatever is for nobody of these.
    pub(super) fn keep(&mut self, dues: &[Due]) {
        self.of.retain(|due, _| dues.contains(due));
    }

    pub(super) fn may_go_on(&self) -> bool {
        self.pause.is_over()
    }

    pub(super) fn went_well(&mut self) {
        self.pause = Pause::new();
    }

    pub(super) fn rest_all(&mut self, unlocked: &Unlocked, error: Error) {
        unlocked.note_storage(error);
        tracing::warn!(%error, "copies of attachments wait");
        let at_least = match error {
            Error::RateLimited { retry_after_ms } => Duration::from_millis(retry_after_ms),
            _ => Duration::ZERO,
        };
        self.pause.begin(unlocked, at_least);
    }

    pub(super) fn rests(&self, due: &Due) -> bool {
        self.of
            .get(due)
            .is_some_and(|effort| !effort.pause.is_over())
    }

    /// When something is to be tried next.
    pub(super) fn next(&self) -> Option<Instant> {
        if !self.pause.is_over() {
            return self.pause.until;
        }
        self.of.values().filter_map(|one| one.pause.until).min()
    }

    pub(super) fn has_given_up(&self, due: &Due, here: Here) -> bool {
        let effort = self.of.get(due);
        effort.is_some_and(|effort| effort.given_up.contains(&here.life))
    }

    /// What would only be refused again.
    pub(super) fn give_up(&mut self, due: &Due, files: impl IntoIterator<Item = Here>) {
        let lives = files.into_iter().map(|here| here.life);
        self.effort(due).given_up.extend(lives);
    }

    /// Ends a round in which these failed. True where nothing is to be tried once more.
    pub(super) fn end_round(&mut self, unlocked: &Unlocked, due: &Due, failed: Vec<Here>) -> bool {
        let effort = self.effort(due);
        if failed.is_empty() {
            effort.pause = Pause::new();
            return true;
        }
        effort.failures += 1;
        if effort.failures <= TRIES {
            effort.pause.begin(unlocked, Duration::ZERO);
            return false;
        }
        effort.pause = Pause::new();
        self.give_up(due, failed);
        true
    }

    fn effort(&mut self, due: &Due) -> &mut Effort {
        self.of.entry(due.clone()).or_insert_with(|| Effort {
            given_up: BTreeSet::new(),
            failures: 0,
            pause: Pause::new(),
        })
    }
}
