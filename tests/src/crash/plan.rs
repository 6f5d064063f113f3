//! Which process is killed next, and when: a matter of the seed alone.

use std::time::Duration;

use rand_core::RngCore;

/// A process of the ward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    Relay,
    Daemon(usize),
}

/// What a kill waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Anytime,
    /// A send of this daemon's user was answered a moment ago.
    Acknowledged(usize),
    /// This daemon's user was told of a message a moment ago.
    Received(usize),
    /// This daemon is asked many times at once for one and the same send to the next one.
    Burst(usize),
}

/// One step of the run: a pause, then one or two kills, then perhaps another before the victim has recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) pause: Duration,
    /// Its wall clock jumps before that.
    pub(super) jumps: Option<Victim>,
    pub(super) aim: Aim,
    pub(super) victim: Victim,
    /// Killed at the same time.
    pub(super) also: Option<Victim>,
    /// So long after it was started again, the victim is killed once more.
    pub(super) again: Option<Duration>,
}

const SHORTEST_PAUSE_MS: u64 = 50;
const LONGEST_PAUSE_MS: u64 = 350;
/// Starting takes a relay and a daemon some 20 ms; unlocking takes a daemon up to a second.
const RELAY_RECOVERS_MS: u64 = 30;
const DAEMON_RECOVERS_MS: u64 = 800;

impl Step {
    pub(super) fn next(daemons: usize, rng: &mut impl RngCore) -> Self {
        let pause = between(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS, rng);
        let daemon = below(daemons, rng);
        let aim = match below(100, rng) {
            0..25 => Aim::Acknowledged(daemon),
            25..50 => Aim::Received(daemon),
            50..55 => Aim::Burst(daemon),
            _ => Aim::Anytime,
        };
        // Whoever is aimed at is killed himself as often as the relay between the two.
        let victim = match below(10, rng) {
            0..4 => Victim::Relay,
            _ => Victim::Daemon(daemon),
        };
        let also = (below(5, rng) == 0).then(|| another(victim, daemons, rng));
        let recovers_ms = match victim {
            Victim::Relay => RELAY_RECOVERS_MS,
            Victim::Daemon(_) => DAEMON_RECOVERS_MS,
        };
        let jumps = (below(3, rng) == 0).then(|| match below(daemons + 1, rng) {
            0 => Victim::Relay,
            daemon => Victim::Daemon(daemon - 1),
        });
        let again = (below(4, rng) == 0).then(|| between(0, recovers_ms, rng));
        Self {
            pause,
            jumps,
            aim,
            victim,
            also,
            again,
        }
    }
}

fn another(victim: Victim, daemons: usize, rng: &mut impl RngCore) -> Victim {
    match victim {
        Victim::Relay => Victim::Daemon(below(daemons, rng)),
        Victim::Daemon(daemon) => match below(daemons, rng) {
            0 => Victim::Relay,
            step => Victim::Daemon((daemon + step) % daemons),
        },
    }
}

fn below(bound: usize, rng: &mut impl RngCore) -> usize {
    rng.next_u32() as usize % bound
}

fn between(least_ms: u64, most_ms: u64, rng: &mut impl RngCore) -> Duration {
    Duration::from_millis(least_ms + u64::from(rng.next_u32()) % (most_ms - least_ms + 1))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha12Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    fn steps(seed: u64) -> Vec<Step> {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        (0..500).map(|_| Step::next(3, &mut rng)).collect()
    }

    #[test]
    fn a_seed_is_a_run() {
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
    }

    #[test]
    fn every_kind_of_kill_comes_up_and_nobody_is_killed_twice_at_once() {
        let steps = steps(1);
        let count = |wanted: fn(&Step) -> bool| steps.iter().filter(|step| wanted(step)).count();
        for kind in [
            count(|step| step.victim == Victim::Relay),
            count(|step| step.victim == Victim::Daemon(2)),
            count(|step| step.aim == Aim::Anytime),
            count(|step| step.aim == Aim::Acknowledged(0)),
            count(|step| step.aim == Aim::Received(1)),
            count(|step| matches!(step.aim, Aim::Burst(_))),
            count(|step| step.also.is_some() && step.also != Some(Victim::Relay)),
            count(|step| step.also == Some(Victim::Relay)),
            count(|step| step.again.is_some()),
            count(|step| step.jumps == Some(Victim::Relay)),
            count(|step| step.jumps == Some(Victim::Daemon(2))),
        ] {
            assert!(kind > 10, "{kind}");
        }
        assert_eq!(count(|step| step.also == Some(step.victim)), 0);
    }
}
