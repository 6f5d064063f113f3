//! What waits to be entered in the audit log: counted together where it is the same, and bounded, so that no flood fills
//! memory or disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use connect_store::audit::{Deed, Tally};
use parking_lot::Mutex;

/// Different deeds that wait at most; what else comes is counted without saying to what it was done, and by which process.
const MOST_DONE: usize = 1024;
/// Different refusals that wait at most; what else comes is counted as done by several.
const MOST_REFUSED: usize = 64;
/// Refusals that do not cease are written ever more seldom: at most an hour's together.
const LONGEST_WAIT: u32 = 60;
/// Stands for a method where several are counted together.
const SEVERAL: &str = "*";

#[derive(Debug)]
struct State {
    done: HashMap<Deed, Tally>,
    refused: HashMap<Deed, Tally>,
    /// Rounds that refusals wait for now, and for how many they have waited.
    wait: u32,
    waited: u32,
}

#[derive(Debug)]
pub struct Pending(Mutex<State>);

impl Default for Pending {
    fn default() -> Self {
        Self(Mutex::new(State {
            done: HashMap::new(),
            refused: HashMap::new(),
            wait: 1,
            waited: 0,
        }))
    }
}

impl Pending {
    pub(crate) fn add(&self, deed: Deed, now_ms: u64) {
        let tally = Tally {
            first_ms: now_ms,
            last_ms: now_ms,
            count: 1,
        };
        self.0.lock().add(deed, tally);
    }

    /// Everything, the oldest first.
    pub(crate) fn take_all(&self) -> Vec<(Deed, Tally)> {
        let mut state = self.0.lock();
        state.waited = 0;
        let done = std::mem::take(&mut state.done);
        let refused = std::mem::take(&mut state.refused);
        in_order(done.into_iter().chain(refused))
    }

    /// Called once a minute: what was done, and the refusals when it is time for them.
    pub(crate) fn take_due(&self) -> Vec<(Deed, Tally)> {
        let mut state = self.0.lock();
        let done = std::mem::take(&mut state.done);
        state.waited += 1;
        let mut refused = HashMap::new();
        if state.waited >= state.wait {
            refused = std::mem::take(&mut state.refused);
            state.waited = 0;
            state.wait = if refused.is_empty() {
                1
            } else {
                (state.wait * 2).min(LONGEST_WAIT)
            };
        }
        in_order(done.into_iter().chain(refused))
    }

    /// What could not be written waits on.
    pub(crate) fn put_back(&self, waiting: Vec<(Deed, Tally)>) {
        let mut state = self.0.lock();
        for (deed, tally) in waiting {
            state.add(deed, tally);
        }
    }
}

impl State {
    fn add(&mut self, deed: Deed, tally: Tally) {
        if is_refused(&deed) {
            count(&mut self.refused, MOST_REFUSED, deed, tally, |deed| Deed {
                app: None,
                uid: None,
                pid: None,
                method: SEVERAL.to_owned(),
                object: None,
                outcome: deed.outcome,
            });
        } else {
            count(&mut self.done, MOST_DONE, deed, tally, |deed| Deed {
                pid: None,
                object: None,
                ..deed
            });
        }
    }
}

fn is_refused(deed: &Deed) -> bool {
    deed.app.is_none() || deed.outcome == "forbidden" || deed.outcome == "unauthenticated"
}

fn count(
    waiting: &mut HashMap<Deed, Tally>,
    most: usize,
    deed: Deed,
    tally: Tally,
    blur: impl FnOnce(Deed) -> Deed,
) {
    let is_full = waiting.len() >= most && !waiting.contains_key(&deed);
    let deed = if is_full { blur(deed) } else { deed };
    match waiting.entry(deed) {
        Entry::Vacant(place) => {
            place.insert(tally);
        }
        Entry::Occupied(mut place) => {
            let known = place.get_mut();
            known.first_ms = known.first_ms.min(tally.first_ms);
            known.last_ms = known.last_ms.max(tally.last_ms);
            known.count += tally.count;
        }
    }
}

fn in_order(waiting: impl Iterator<Item = (Deed, Tally)>) -> Vec<(Deed, Tally)> {
    let mut waiting: Vec<_> = waiting.collect();
    waiting.sort_by_key(|(_, tally)| tally.first_ms);
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(app: Option<&str>, uid: u32, pid: u32, outcome: &str) -> Deed {
        Deed {
            app: app.map(str::to_owned),
            uid: Some(uid),
            pid: Some(pid),
            method: "messages.get".into(),
            object: None,
            outcome: outcome.into(),
        }
    }

    #[test]
    fn the_same_is_counted_together() {
        let pending = Pending::default();
        for now_ms in [5, 3, 9] {
            pending.add(deed(Some("owner"), 1, 1, "ok"), now_ms);
        }
        let taken = pending.take_all();
        let [(_, tally)] = taken.as_slice() else {
            panic!("{taken:?}")
        };
        assert_eq!((tally.first_ms, tally.last_ms, tally.count), (3, 9, 3));
        assert!(pending.take_all().is_empty());
    }

    #[test]
    fn a_flood_takes_little_room_and_none_of_it_goes_uncounted() {
        let pending = Pending::default();
        for pid in 0..100_000 {
            pending.add(deed(None, pid % 7, pid, "unauthenticated"), 1);
            pending.add(deed(Some("a"), 1, pid, "ok"), 1);
        }
        let taken = pending.take_all();
        assert!(
            taken.len() <= MOST_DONE + MOST_REFUSED + 2,
            "{}",
            taken.len()
        );
        let counted: u64 = taken.iter().map(|(_, tally)| tally.count).sum();
        assert_eq!(counted, 200_000);
    }

    #[test]
    fn refusals_that_do_not_cease_are_written_ever_more_seldom() {
        let pending = Pending::default();
        let mut written = 0;
        for _ in 0..24 * 60 {
            for pid in 0..1000 {
                pending.add(deed(None, 7, pid, "unauthenticated"), 1);
            }
            written += pending.take_due().len();
        }
        assert!(
            (65..=31 * (MOST_REFUSED + 1)).contains(&written),
            "{written}"
        );
        // Once it is quiet again, the next one is written within a minute.
        for _ in 0..2 * LONGEST_WAIT {
            pending.take_due();
        }
        pending.add(deed(None, 7, 1, "unauthenticated"), 1);
        assert_eq!(pending.take_due().len(), 1);
    }
}
