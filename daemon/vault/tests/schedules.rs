//! A guesser who restarts, reboots, kills the daemon and sets clocks still gets no more than ten guesses a day (D23).
#![expect(clippy::unwrap_used, reason = "in tests a panic is the answer")]

use std::fs;
use std::path::Path;

use connect_vault::attempts::{AttemptTime, Standing};
use connect_vault::keys::Keys;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, UnlockError, Vault};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tempfile::TempDir;

const SCHEDULES: u64 = 1000;
const STEPS: usize = 60;
const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;
const PER_DAY: usize = 10;
/// Before each guess, after the one before.
const WAITS_MS: [u64; 9] = [0, 0, 0, 0, 30_000, 60_000, 300_000, 900_000, HOUR_MS];
const PASSPHRASE: &str = "correct horse battery staple";

/// Repeats another run: `CONNECT_SCHEDULES_SEED=…`. The beginning is the same every time unless it is told otherwise.
fn seed() -> u64 {
    std::env::var("CONNECT_SCHEDULES_SEED").map_or(1, |seed| seed.parse().unwrap())
}

/// A machine, of whose real time the vault knows nothing but the boot clock.
struct Machine<'a> {
    state: &'a Path,
    vault: Vault,
    real_ms: u64,
    boots: u32,
    boot_ms: u64,
    guesses: Vec<u64>,
}

impl<'a> Machine<'a> {
    fn new(state: &'a Path) -> Self {
        Self {
            state,
            vault: vault(state),
            real_ms: 0,
            boots: 0,
            boot_ms: 10_000,
            guesses: Vec::new(),
        }
    }

    fn now(&self) -> AttemptTime {
        AttemptTime {
            boot_id: format!("boot-{}", self.boots),
            boot_ms: self.boot_ms,
        }
    }

    fn pass(&mut self, ms: u64) {
        self.real_ms += ms;
        self.boot_ms += ms;
    }

    /// The daemon starts, and looks at the attempts as it does then.
    fn restart(&mut self) {
        self.vault = vault(self.state);
        self.vault.standing(&self.now()).unwrap();
    }

    fn reboot(&mut self, takes_ms: u64, boot_ms: u64) {
        self.real_ms += takes_ms + boot_ms;
        self.boots += 1;
        self.boot_ms = boot_ms;
        self.restart();
    }

    /// Killed while it wrote the count down.
    fn crash(&mut self) {
        let half = self.state.join(".attempts.json.abc123.new");
        fs::write(half, r#"{"version":1,"fail"#).unwrap();
        self.restart();
    }

    fn guess(&mut self) {
        let standing = self.vault.standing(&self.now()).unwrap();
        let refused = self.vault.unlock("a wrong one of some length", &self.now());
        match (standing, refused.unwrap_err()) {
            (Standing::Free { .. }, UnlockError::WrongPin { .. } | UnlockError::Disabled) => {
                self.guesses.push(self.real_ms);
            }
            (Standing::Wait { .. }, UnlockError::Wait { .. })
            | (Standing::Disabled, UnlockError::Disabled) => {}
            odd => panic!("{odd:?}"),
        }
    }

    /// As soon as one is allowed.
    fn guess_patiently(&mut self) {
        if let Standing::Wait { retry_after_ms, .. } = self.vault.standing(&self.now()).unwrap() {
            self.pass(retry_after_ms);
        }
        self.guess();
    }

    fn step(&mut self, rng: &mut ChaCha20Rng) {
        let short = u64::from(rng.next_u32()) % 120_000;
        let long = u64::from(rng.next_u32()) % (2 * HOUR_MS);
        match rng.next_u32() % 10 {
            0 => self.pass(short),
            1 => self.pass(long),
            2 => self.restart(),
            3 => self.reboot(short, 0),
            // Up for longer than before, under another boot id: not the time of this wait.
            4 => self.reboot(0, long),
            5 => self.crash(),
            // A boot clock that goes back, as in a machine that was put back to a snapshot.
            6 => self.boot_ms = self.boot_ms.saturating_sub(short),
            7 => self.guess_patiently(),
            _ => self.guess(),
        }
    }

    fn check(&self, schedule: u64) {
        for (n, guess) in self.guesses.iter().enumerate() {
            let day = self.guesses[n..]
                .iter()
                .take_while(|at| *at - guess < DAY_MS);
            assert!(
                day.count() <= PER_DAY,
                "schedule {schedule}: {:?}",
                self.guesses
            );
            let wait = WAITS_MS.get(n).copied();
            let wait = wait.unwrap_or_else(|| panic!("schedule {schedule}: guess {n}"));
            let passed = n.checked_sub(1).map(|before| guess - self.guesses[before]);
            assert!(
                passed.is_none_or(|passed| passed >= wait),
                "schedule {schedule}: guess {n} after {passed:?} ms"
            );
        }
    }
}

fn vault(state: &Path) -> Vault {
    Vault::new(state, Keystore::Passphrase, KdfCost::for_tests())
}

/// In memory, where that can be had: it is synced some ten thousand times.
fn home() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

#[test]
fn a_thousand_schedules_give_no_more_than_ten_guesses_a_day() {
    let seed = seed();
    println!("{SCHEDULES} schedules, CONNECT_SCHEDULES_SEED={seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let keys = Keys::generate("alice".parse().unwrap(), &mut rng);
    let mut spent = 0;
    for schedule in 0..SCHEDULES {
        let home = home();
        vault(home.path())
            .create(&keys, PASSPHRASE, None, &mut rng)
            .unwrap();
        let mut machine = Machine::new(home.path());
        for _ in 0..STEPS {
            machine.step(&mut rng);
        }
        machine.check(schedule);
        spent += usize::from(machine.guesses.len() == WAITS_MS.len());
    }
    // Otherwise the schedules would show little.
    assert!(spent > 100, "only {spent} schedules came to the last guess");
}
