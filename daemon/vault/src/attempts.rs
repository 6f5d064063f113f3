//! How often a PIN may be tried (D23): four times freely, then after growing waits, then no more. Pure.

mod boot;

pub use boot::{AttemptTime, host_boot_time};

/// Wrong attempts until unlocking by PIN is disabled.
pub const MAX_ATTEMPTS: u32 = 9;
const FREE_ATTEMPTS: u32 = 4;
const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
/// Before the fifth attempt, the sixth, and so on.
const WAITS_MS: [u64; (MAX_ATTEMPTS - FREE_ATTEMPTS) as usize] = [
    30 * SECOND_MS,
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    60 * MINUTE_MS,
];

/// What an attempt made now would meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Free {
        attempts_left: u32,
    },
    Wait {
        retry_after_ms: u64,
        attempts_left: u32,
    },
    Disabled,
}

/// How long after that many wrong attempts the next one has to wait; `None` when there is no next one.
pub(crate) fn wait_after(failures: u32) -> Option<u64> {
    if failures < FREE_ATTEMPTS {
        return Some(0);
    }
    let step = usize::try_from(failures - FREE_ATTEMPTS).ok()?;
    WAITS_MS.get(step).copied()
}

/// The wrong attempts so far. One is counted before it is evaluated, and taken back when it was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) count: u32,
    /// From when the wait runs; `None` as long as there was no attempt.
    pub(crate) since: Option<AttemptTime>,
}

impl Failures {
    pub(crate) const fn none() -> Self {
        Self {
            count: 0,
            since: None,
        }
    }

    /// What is assumed where the count cannot be read: one attempt, after the longest wait.
    pub(crate) const fn unreadable(now: AttemptTime) -> Self {
        Self {
            count: MAX_ATTEMPTS - 1,
            since: Some(now),
        }
    }

    /// Whether a wait is running that this boot has not begun: then it runs anew, from now.
    pub(crate) fn must_restart(&self, now: &AttemptTime) -> bool {
        let waits = wait_after(self.count).is_some_and(|wait| wait > 0);
        let same_boot = self
            .since
            .as_ref()
            .is_some_and(|since| since.boot_id == now.boot_id && since.boot_ms <= now.boot_ms);
        waits && !same_boot
    }

    pub(crate) fn restarted(self, now: AttemptTime) -> Self {
        Self {
            since: Some(now),
            ..self
        }
    }

    pub(crate) fn and_one_more(self, now: AttemptTime) -> Self {
        Self {
            count: self.count.saturating_add(1),
            since: Some(now),
        }
    }

    pub(crate) const fn attempts_left(&self) -> u32 {
        MAX_ATTEMPTS.saturating_sub(self.count)
    }

    /// The caller has restarted what `must_restart`.
    pub(crate) fn standing(&self, now: &AttemptTime) -> Standing {
        let attempts_left = self.attempts_left();
        let Some(wait) = wait_after(self.count) else {
            return Standing::Disabled;
        };
        let passed = self
            .since
            .as_ref()
            .map_or(0, |since| now.boot_ms.saturating_sub(since.boot_ms));
        match wait.saturating_sub(passed) {
            0 => Standing::Free { attempts_left },
            retry_after_ms => Standing::Wait {
                retry_after_ms,
                attempts_left,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(boot: u8, boot_ms: u64) -> AttemptTime {
        AttemptTime {
            boot_id: format!("boot-{boot}"),
            boot_ms,
        }
    }

    #[test]
    fn the_waits_are_those_of_the_table() {
        let seconds = |failures| wait_after(failures).map(|ms| ms / 1000);
        let table: Vec<_> = (0..=10).map(seconds).collect();
        let free = Some(0);
        assert_eq!(table[..4], [free, free, free, free]);
        assert_eq!(
            table[4..],
            [
                Some(30),
                Some(60),
                Some(300),
                Some(900),
                Some(3600),
                None,
                None
            ]
        );
    }

    #[test]
    fn a_wait_passes_on_the_boot_clock_and_a_reboot_starts_it_again() {
        let failures = Failures {
            count: 4,
            since: Some(at(1, 1000)),
        };
        let left = |failures: &Failures, now| match failures.standing(&now) {
            Standing::Wait { retry_after_ms, .. } => retry_after_ms,
            _ => 0,
        };
        assert_eq!(left(&failures, at(1, 1000)), 30_000);
        assert_eq!(left(&failures, at(1, 30_999)), 1);
        assert_eq!(left(&failures, at(1, 31_000)), 0);
        assert!(!failures.must_restart(&at(1, 31_000)));
        assert!(failures.must_restart(&at(2, 900_000)));
        assert!(failures.must_restart(&at(1, 999)));
        assert_eq!(left(&failures.restarted(at(2, 5)), at(2, 5)), 30_000);
    }

    #[test]
    fn free_attempts_know_no_reboot() {
        let failures = Failures {
            count: 3,
            since: Some(at(1, 1000)),
        };
        assert!(!failures.must_restart(&at(2, 0)));
        assert_eq!(
            failures.standing(&at(2, 0)),
            Standing::Free { attempts_left: 6 }
        );
    }

    #[derive(Debug, Clone)]
    enum Step {
        Pass(u64),
        Reboot(u64),
        Guess,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u64..4_000_000).prop_map(Step::Pass),
            (0_u64..100_000).prop_map(Step::Reboot),
            Just(Step::Guess),
            Just(Step::Guess),
        ]
    }

    /// Real time, of which the vault knows only the boot clock.
    struct World {
        real_ms: u64,
        now: AttemptTime,
        failures: Failures,
        guesses: Vec<u64>,
    }

    impl World {
        fn guess(&mut self) {
            if self.failures.must_restart(&self.now) {
                self.failures = self.failures.clone().restarted(self.now.clone());
            }
            if let Standing::Free { .. } = self.failures.standing(&self.now) {
                self.failures = self.failures.clone().and_one_more(self.now.clone());
                self.guesses.push(self.real_ms);
            }
        }
    }

    proptest! {
        #[test]
        fn nobody_guesses_more_than_ten_times_a_day(steps in prop::collection::vec(step(), 0..200)) {
            let mut world = World {
                real_ms: 0,
                now: at(0, 0),
                failures: Failures::none(),
                guesses: Vec::new(),
            };
            let mut boots = 0_u8;
            for step in steps {
                match step {
                    Step::Pass(ms) => {
                        world.real_ms += ms;
                        world.now.boot_ms += ms;
                    }
                    Step::Reboot(ms) => {
                        boots = boots.wrapping_add(1);
                        world.real_ms += ms;
                        world.now = at(boots, 0);
                    }
                    Step::Guess => world.guess(),
                }
            }
            for (n, guess) in world.guesses.iter().enumerate() {
                let in_a_day = world.guesses[n..].iter().filter(|other| *other - guess < 86_400_000);
                prop_assert!(in_a_day.count() <= 10);
                let earlier = n.checked_sub(1).map(|n| world.guesses[n]);
                let wait = u32::try_from(n).ok().and_then(wait_after).expect("a ninth guess is the last");
                prop_assert!(earlier.is_none_or(|earlier| guess - earlier >= wait));
            }
        }
    }
}
