//! The vault of one account: seals its keys under a PIN or passphrase and a keystore, and opens them again (D22, D23).
//!
//! Every call blocks: on the disk, and on Argon2 for a good third of a second. Async callers use `spawn_blocking`.

mod ledger;
pub mod portable;
mod recover;
mod rotate;
mod sealing;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use connect_proto::ids::UserId;
use rand_core::CryptoRngCore;
use zeroize::zeroize_stack;

use crate::attempts::{AttemptTime, Standing};
use crate::disk;
use crate::keys::Keys;
use crate::keystore::{Keystore, KeystoreError, KeystoreSecret};
use crate::pin;
use crate::recovery::RecoveryKey;
use crate::sealed::{self, Sealed};
use ledger::Ledger;
use sealing::{CannotUnseal, SealUnder};

pub use crate::cost::KdfCost;
pub use crate::error::{ChangePinError, RecoverError, UnlockError, VaultError};
pub use crate::pin::PinRefused;

const SEALED_FILE: &str = "keys.sealed";
/// More than opening and sealing take.
const STACK: usize = 128 << 10;

/// One account's sealed keys, and the count of attempts to open them.
#[derive(Debug)]
pub struct Vault {
    state_dir: PathBuf,
    keystore: Keystore,
    cost: KdfCost,
    ledger: Ledger,
}

/// One call at a time in this process: guesses in parallel must not share one count, nor take 64 MiB each.
/// What it protects lies on the disk, and is whole after a panic too.
static TURN: Mutex<()> = Mutex::new(());

fn take_turn() -> Turn {
    Turn(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Turn(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Drop for Turn {
    /// Derivations and ciphers leave what they worked with on the stack, below whoever took the turn.
    fn drop(&mut self) {
        zeroize_stack::<STACK>();
    }
}

impl Vault {
    pub fn new(state_dir: &Path, keystore: Keystore, cost: KdfCost) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            keystore,
            cost,
            ledger: Ledger::new(state_dir),
        }
    }

    pub fn exists(&self) -> bool {
        self.path().exists()
    }

    /// Whose keys they are. It is no secret and needs no PIN; it is proven only by unlocking.
    pub fn owner(&self) -> Result<Option<UserId>, VaultError> {
        let _turn = take_turn();
        Ok(self.read()?.map(|sealed| sealed.header.owner))
    }

    /// Whether keys may be sealed under this PIN or passphrase.
    pub fn check_new_pin(&self, pin: &str) -> Result<(), PinRefused> {
        pin::check_new(pin, self.keystore.kind())
    }

    /// Seals an account's keys. Keys that are there already stay, and are `Exists`.
    pub fn create(
        &self,
        keys: &Keys,
        pin: &str,
        recovery: Option<&RecoveryKey>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), VaultError> {
        let _turn = take_turn();
        self.check_new_pin(pin)?;
        if self.exists() {
            return Err(VaultError::Exists);
        }
        disk::create_dir(&self.state_dir)?;
        self.ledger.clear()?;
        let (secret_id, secret) = self.keystore.create(rng)?;
        let under = SealUnder {
            keystore: self.keystore.kind(),
            secret_id: secret_id.clone(),
            secret: &secret,
            cost: self.cost,
            pin,
        };
        let written = sealing::seal(keys, under, recovery, rng)
            .and_then(|sealed| disk::write_new(&self.path(), &sealed.encode()));
        if let Err(error) = written {
            if error.kind() == io::ErrorKind::AlreadyExists {
                self.keystore.remove(secret_id.as_ref())?;
                return Err(VaultError::Exists);
            }
            disk::remove(&self.path())?;
            self.keystore.remove(secret_id.as_ref())?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Opens the keys. The attempt is counted on the disk before it is evaluated, and taken back if it was right.
    pub fn unlock(&self, pin: &str, now: &AttemptTime) -> Result<Keys, UnlockError> {
        let _turn = take_turn();
        let (sealed, secret) = self.sealed_and_secret()?;
        self.evaluate(&sealed, &secret, pin, now)
    }

    /// What an attempt made now would meet. Asked once after a reboot, it also starts a running wait again.
    pub fn standing(&self, now: &AttemptTime) -> Result<Standing, VaultError> {
        let _turn = take_turn();
        Ok(self.ledger.read(now)?.standing(now))
    }

    /// Why the keystore does not serve the keys that are sealed here, for who looks after the machine.
    pub fn check_keystore(&self) -> Result<(), KeystoreError> {
        let _turn = take_turn();
        match self.read() {
            Ok(Some(sealed)) => self.secret_of(&sealed).map(drop),
            _ => Ok(()),
        }
    }

    /// Whether there are sealed keys, and whether they can be read as such.
    pub fn look(&self) -> Result<bool, VaultError> {
        let _turn = take_turn();
        Ok(self.read()?.is_some())
    }

    /// For who has proven to be the owner by other means: a recovery key, or an administrator (D23).
    pub fn reset_attempts(&self) -> Result<(), VaultError> {
        let _turn = take_turn();
        Ok(self.ledger.clear()?)
    }

    /// Seals the same keys under another PIN. The old PIN is an attempt like any other.
    pub fn change_pin(
        &self,
        pin: &str,
        new_pin: &str,
        now: &AttemptTime,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), ChangePinError> {
        let _turn = take_turn();
        self.check_new_pin(new_pin).map_err(VaultError::from)?;
        let (old, secret) = self.sealed_and_secret()?;
        let opened = self.evaluate(&old, &secret, pin, now)?;
        let under = SealUnder {
            keystore: old.header.keystore,
            secret_id: old.header.secret_id.clone(),
            secret: &secret,
            cost: self.cost,
            pin: new_pin,
        };
        sealing::reseal(old, &opened.master, under, rng)
            .and_then(|sealed| disk::replace(&self.path(), &sealed.encode()))
            .map_err(VaultError::from)?;
        Ok(())
    }

    /// Removes whatever there is of the account: the keystore's secret first, since without it the rest is noise.
    pub fn remove(&self) -> Result<(), VaultError> {
        let _turn = take_turn();
        match self.read() {
            Ok(Some(sealed)) => self.keystore.remove(sealed.header.secret_id.as_ref())?,
            // The keystore's secret is named by what cannot be read. Alone it opens nothing.
            Ok(None) | Err(VaultError::Damaged) => {}
            Err(other) => return Err(other),
        }
        disk::remove(&self.path())?;
        self.ledger.clear()?;
        Ok(())
    }

    fn evaluate(
        &self,
        sealed: &Sealed,
        secret: &KeystoreSecret,
        pin: &str,
        now: &AttemptTime,
    ) -> Result<Keys, UnlockError> {
        let before = self.ledger.read(now)?;
        if let Some(refused) = refused(before.standing(now)) {
            return Err(refused);
        }
        let counted = before.clone().and_one_more(now.clone());
        self.ledger.write(&counted)?;
        match sealing::open(sealed, secret, pin) {
            Ok(opened) => {
                self.ledger.clear()?;
                Ok(opened)
            }
            Err(CannotUnseal::WrongPin) => Err(wrong_pin(counted.standing(now))),
            Err(CannotUnseal::Damaged) => {
                self.ledger.write(&before)?;
                Err(UnlockError::Damaged)
            }
            Err(CannotUnseal::OutOfMemory) => {
                self.ledger.write(&before)?;
                Err(io::Error::from(io::ErrorKind::OutOfMemory).into())
            }
        }
    }

    fn sealed_and_secret(&self) -> Result<(Sealed, KeystoreSecret), UnlockError> {
        let sealed = self.read()?.ok_or(UnlockError::NotEnrolled)?;
        let secret = self.secret_of(&sealed)?;
        Ok((sealed, secret))
    }

    fn secret_of(&self, sealed: &Sealed) -> Result<KeystoreSecret, KeystoreError> {
        let (kind, configured) = (sealed.header.keystore, self.keystore.kind());
        if kind != configured {
            return Err(KeystoreError::OtherKind {
                sealed: kind,
                configured,
            });
        }
        self.keystore.load(sealed.header.secret_id.as_ref())
    }

    fn read(&self) -> Result<Option<Sealed>, VaultError> {
        let limit = u64::try_from(sealed::MAX_BYTES).expect("a small number");
        match disk::read(&self.path(), limit) {
            Ok(Some(bytes)) => match Sealed::parse(&bytes) {
                Ok(sealed) => Ok(Some(sealed)),
                Err(sealed::Malformed) => Err(VaultError::Damaged),
            },
            Ok(None) => Err(VaultError::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn path(&self) -> PathBuf {
        self.state_dir.join(SEALED_FILE)
    }
}

/// What speaks against an attempt made now.
const fn refused(standing: Standing) -> Option<UnlockError> {
    match standing {
        Standing::Free { .. } => None,
        Standing::Disabled => Some(UnlockError::Disabled),
        Standing::Wait {
            retry_after_ms,
            attempts_left,
        } => Some(UnlockError::Wait {
            retry_after_ms,
            attempts_left,
        }),
    }
}

/// The answer to a wrong PIN: what stands between now and the next attempt.
const fn wrong_pin(next: Standing) -> UnlockError {
    match next {
        Standing::Free { attempts_left } => UnlockError::WrongPin {
            retry_after_ms: 0,
            attempts_left,
        },
        Standing::Wait {
            retry_after_ms,
            attempts_left,
        } => UnlockError::WrongPin {
            retry_after_ms,
            attempts_left,
        },
        Standing::Disabled => UnlockError::Disabled,
    }
}
