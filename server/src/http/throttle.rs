//! How often one user may call, and how often anyone may try to enroll.

use std::num::NonZeroU32;
use std::time::Duration;

use connect_proto::ids::UserId;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

use crate::limits::Limits;
use crate::refusal::Refusal;

/// Names remembered before the quiet ones are forgotten out of turn: anyone can make names up.
const MANY_NAMES: usize = 50_000;

/// It counts by a clock that nobody can set, not by the relay's: what it refuses must not last when that one jumps.
pub(crate) struct Throttle {
    clock: DefaultClock,
    requests: DefaultKeyedRateLimiter<UserId>,
    enrollments: DefaultKeyedRateLimiter<UserId>,
    all_enrollments: DefaultDirectRateLimiter,
    searches: DefaultKeyedRateLimiter<UserId>,
    searches_by_day: DefaultKeyedRateLimiter<UserId>,
    rotations_by_day: DefaultKeyedRateLimiter<UserId>,
    attachments: DefaultKeyedRateLimiter<UserId>,
    orders: DefaultDirectRateLimiter,
}

impl Throttle {
    pub(crate) fn new(limits: &Limits) -> Self {
        let requests =
            Quota::per_second(limits.requests_per_second).allow_burst(limits.request_burst);
        let minute = |attempts: NonZeroU32| Quota::per_minute(attempts);
        Self {
            clock: DefaultClock::default(),
            requests: RateLimiter::keyed(requests),
            enrollments: RateLimiter::keyed(minute(limits.enrollments_per_minute)),
            all_enrollments: RateLimiter::direct(minute(limits.enrollments_per_minute_in_all)),
            searches: RateLimiter::keyed(minute(limits.searches_per_minute)),
            searches_by_day: RateLimiter::keyed(daily(limits.searches_per_day)),
            rotations_by_day: RateLimiter::keyed(daily(limits.rotations_per_day)),
            attachments: RateLimiter::keyed(minute(limits.attachments_per_minute)),
            orders: RateLimiter::direct(minute(limits.operator_orders_per_minute)),
        }
    }

    pub(super) fn admit_request(&self, user: &UserId) -> Result<(), Refusal> {
        self.check(&self.requests, user)
    }

    pub(super) fn admit_enrollment(&self, user: &UserId) -> Result<(), Refusal> {
        self.check(&self.enrollments, user)?;
        self.all_enrollments
            .check()
            .map_err(|not_until| self.slow_down(&not_until))
    }

    pub(super) fn admit_search(&self, user: &UserId) -> Result<(), Refusal> {
        self.check(&self.searches, user)?;
        self.check(&self.searches_by_day, user)
    }

    /// Everybody is told of it.
    pub(super) fn admit_rotation(&self, user: &UserId) -> Result<(), Refusal> {
        self.check(&self.rotations_by_day, user)
    }

    pub(super) fn admit_attachment(&self, user: &UserId) -> Result<(), Refusal> {
        self.check(&self.attachments, user)
    }

    /// An operator's order: whoever guesses must not fill the log.
    pub(crate) fn admit_order(&self) -> Result<(), Refusal> {
        self.orders
            .check()
            .map_err(|not_until| self.slow_down(&not_until))
    }

    /// Forgets who has been quiet: names, known or not, must not pile up.
    pub(crate) fn sweep(&self) {
        for limiter in [
            &self.requests,
            &self.enrollments,
            &self.searches,
            &self.searches_by_day,
            &self.rotations_by_day,
            &self.attachments,
        ] {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    fn check(
        &self,
        limiter: &DefaultKeyedRateLimiter<UserId>,
        user: &UserId,
    ) -> Result<(), Refusal> {
        if limiter.len() > MANY_NAMES {
            limiter.retain_recent();
        }
        limiter
            .check_key(user)
            .map_err(|not_until| self.slow_down(&not_until))
    }

    fn slow_down(
        &self,
        not_until: &NotUntil<<DefaultClock as governor::clock::Clock>::Instant>,
    ) -> Refusal {
        let wait = not_until.wait_time_from(self.clock.now());
        Refusal::SlowDown {
            seconds: wait
                .saturating_add(Duration::from_millis(999))
                .as_secs()
                .max(1),
        }
    }
}

/// So many at once, and again one by one over a day.
fn daily(times: NonZeroU32) -> Quota {
    let one = Duration::from_hours(24) / times.get();
    Quota::with_period(one)
        .unwrap_or(Quota::per_second(times))
        .allow_burst(times)
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Throttle(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_admitted_and_what_exceeds_it_is_not() {
        let burst = NonZeroU32::new(3).unwrap();
        let one = NonZeroU32::MIN;
        let limits = Limits {
            requests_per_second: one,
            request_burst: burst,
            ..Limits::default()
        };
        let throttle = Throttle::new(&limits);
        let [alice, bob]: [UserId; 2] = ["alice", "bob"].map(|id| id.parse().unwrap());
        for _ in 0..3 {
            assert!(throttle.admit_request(&alice).is_ok());
        }
        assert!(matches!(
            throttle.admit_request(&alice),
            Err(Refusal::SlowDown { seconds: 1 })
        ));
        assert!(throttle.admit_request(&bob).is_ok());
    }
}
