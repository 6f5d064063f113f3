//! From keys to a sealed file and back: PIN and keystore open the master key, the master key opens the others.

use std::io;

use connect_core::boxes::CannotOpen;
use connect_core::secret::{BoxSecretKey, DatabaseKey, LocalFileKey, MasterKey, UnlockKey};
use connect_core::secretbox;
use connect_core::wrap::{KeyPurpose, unwrap, wrap};
use connect_proto::ids::UserId;
use connect_proto::sign::SignSecretKey;
use rand_core::CryptoRngCore;

use crate::cost::KdfCost;
use crate::kdf::{self, CannotDerive};
use crate::keys::Keys;
use crate::keystore::{KeystoreKind, KeystoreSecret, SecretId};
use crate::recovery::RecoveryKey;
use crate::sealed::{Header, SALT_LEN, Sealed, Wrapped};

/// What keys are sealed under.
pub(super) struct SealUnder<'a> {
    pub(super) keystore: KeystoreKind,
    pub(super) secret_id: Option<SecretId>,
    pub(super) secret: &'a KeystoreSecret,
    pub(super) cost: KdfCost,
    pub(super) pin: &'a str,
}

/// What an opened file gives.
pub(super) struct Opened {
    /// It stays the same for as long as the account does: the recovery key's box holds it too.
    pub(super) master: MasterKey,
    pub(super) keys: Keys,
}

/// Seals a new account's keys.
pub(super) fn seal(
    keys: &Keys,
    under: SealUnder<'_>,
    recovery: Option<&RecoveryKey>,
    rng: &mut impl CryptoRngCore,
) -> io::Result<Sealed> {
    let master = MasterKey::generate(rng);
    let (header, boxed) = seal_master(&master, &keys.owner, under, rng)?;
    Ok(Sealed {
        header,
        master: boxed,
        recovery: recovery.map(|key| seal_for_recovery(&master, &keys.owner, key, rng)),
        wrapped: wrap_all(&master, keys, rng),
    })
}

/// The same keys and the same recovery under another PIN or keystore, with a new salt.
pub(super) fn reseal(
    old: Sealed,
    master: &MasterKey,
    under: SealUnder<'_>,
    rng: &mut impl CryptoRngCore,
) -> io::Result<Sealed> {
    let (header, boxed) = seal_master(master, &old.header.owner, under, rng)?;
    Ok(Sealed {
        header,
        master: boxed,
        ..old
    })
}

fn seal_master(
    master: &MasterKey,
    owner: &UserId,
    under: SealUnder<'_>,
    rng: &mut impl CryptoRngCore,
) -> io::Result<(Header, Vec<u8>)> {
    let mut salt = [0; SALT_LEN];
    rng.fill_bytes(&mut salt);
    let header = Header {
        keystore: under.keystore,
        secret_id: under.secret_id,
        owner: owner.clone(),
        cost: under.cost,
        salt,
    };
    let unlock_key = kdf::unlock_key(&header, under.secret, under.pin)
        .map_err(|CannotDerive| io::Error::from(io::ErrorKind::OutOfMemory))?;
    let boxed = secretbox::seal(&unlock_key, master.expose(), rng);
    Ok((header, boxed))
}

pub(super) fn seal_for_recovery(
    master: &MasterKey,
    owner: &UserId,
    key: &RecoveryKey,
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    secretbox::seal(&key.unlock_key(owner), master.expose(), rng)
}

/// Why a sealed file does not give its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CannotUnseal {
    /// Or a header that was changed: both give another unlock key.
    WrongPin,
    /// The PIN was right.
    Damaged,
    OutOfMemory,
}

pub(super) fn open(
    sealed: &Sealed,
    secret: &KeystoreSecret,
    pin: &str,
) -> Result<Opened, CannotUnseal> {
    let unlock_key = kdf::unlock_key(&sealed.header, secret, pin)
        .map_err(|CannotDerive| CannotUnseal::OutOfMemory)?;
    open_with(&unlock_key, &sealed.master, sealed)
}

/// `WrongPin` where it is another account's recovery key, or the account has none.
pub(super) fn open_by_recovery(sealed: &Sealed, key: &RecoveryKey) -> Result<Opened, CannotUnseal> {
    let boxed = sealed.recovery.as_ref().ok_or(CannotUnseal::WrongPin)?;
    open_with(&key.unlock_key(&sealed.header.owner), boxed, sealed)
}

fn open_with(key: &UnlockKey, boxed: &[u8], sealed: &Sealed) -> Result<Opened, CannotUnseal> {
    let master = secretbox::open(key, boxed).map_err(|CannotOpen| CannotUnseal::WrongPin)?;
    let master = master
        .as_slice()
        .try_into()
        .map_err(|_| CannotUnseal::Damaged)?;
    let master = MasterKey::from_bytes(master);
    let keys = unwrap_all(&master, sealed).map_err(|CannotOpen| CannotUnseal::Damaged)?;
    Ok(Opened { master, keys })
}

fn wrap_all(master: &MasterKey, keys: &Keys, rng: &mut impl CryptoRngCore) -> Wrapped {
    let mut wrap = |purpose, key: &[u8; 32]| wrap(master, purpose, &keys.owner, key, rng);
    Wrapped {
        boxing: wrap(KeyPurpose::Box, keys.box_key.expose()),
        signing: wrap(KeyPurpose::Sign, keys.sign_key.expose_seed()),
        database: wrap(KeyPurpose::Database, keys.database_key.expose()),
        local_file: wrap(KeyPurpose::LocalFile, keys.local_file_key.expose()),
    }
}

fn unwrap_all(master: &MasterKey, sealed: &Sealed) -> Result<Keys, CannotOpen> {
    let owner = &sealed.header.owner;
    let wrapped = &sealed.wrapped;
    let unwrap = |purpose, key: &[u8]| unwrap(master, purpose, owner, key);
    Ok(Keys {
        owner: owner.clone(),
        box_key: BoxSecretKey::from_bytes(&*unwrap(KeyPurpose::Box, &wrapped.boxing)?),
        sign_key: SignSecretKey::from_seed(&*unwrap(KeyPurpose::Sign, &wrapped.signing)?),
        database_key: DatabaseKey::from_bytes(&*unwrap(KeyPurpose::Database, &wrapped.database)?),
        local_file_key: LocalFileKey::from_bytes(&*unwrap(
            KeyPurpose::LocalFile,
            &wrapped.local_file,
        )?),
    })
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    const PIN: &str = "a passphrase of some length";

    fn sealed(seed: u64) -> Sealed {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let keys = Keys::generate("alice".parse().unwrap(), &mut rng);
        let under = SealUnder {
            keystore: KeystoreKind::Passphrase,
            secret_id: None,
            secret: &KeystoreSecret::none(),
            cost: KdfCost::for_tests(),
            pin: PIN,
        };
        let recovery = RecoveryKey::from_bytes(&[9; RecoveryKey::LEN]);
        seal(&keys, under, Some(&recovery), &mut rng).unwrap()
    }

    fn opened(sealed: &Sealed, pin: &str) -> Result<Keys, CannotUnseal> {
        open(sealed, &KeystoreSecret::none(), pin).map(|opened| opened.keys)
    }

    #[test]
    fn every_key_comes_back_as_it_was() {
        let keys = Keys::generate("alice".parse().unwrap(), &mut ChaCha20Rng::seed_from_u64(1));
        let back = opened(&sealed(1), PIN).unwrap();
        assert_eq!(back.owner, keys.owner);
        assert_eq!(back.box_key.expose(), keys.box_key.expose());
        assert_eq!(back.sign_key.expose_seed(), keys.sign_key.expose_seed());
        assert_eq!(back.database_key.expose(), keys.database_key.expose());
        assert_eq!(back.local_file_key.expose(), keys.local_file_key.expose());
    }

    #[test]
    fn a_wrong_pin_and_a_changed_header_open_nothing() {
        let wrong = |sealed: &Sealed, pin| opened(sealed, pin).unwrap_err();
        let whole = sealed(1);
        assert_eq!(wrong(&whole, "another passphrase"), CannotUnseal::WrongPin);
        let mut other_owner = whole.clone();
        other_owner.header.owner = "mallory".parse().unwrap();
        assert_eq!(wrong(&other_owner, PIN), CannotUnseal::WrongPin);
        let mut other_kind = whole.clone();
        other_kind.header.keystore = KeystoreKind::File;
        assert_eq!(wrong(&other_kind, PIN), CannotUnseal::WrongPin);
        let mut other_salt = whole;
        other_salt.header.salt[0] ^= 1;
        assert_eq!(wrong(&other_salt, PIN), CannotUnseal::WrongPin);
    }

    #[test]
    fn the_recovery_key_opens_what_it_was_made_for() {
        let recovered = |sealed: &Sealed, byte| {
            let key = RecoveryKey::from_bytes(&[byte; RecoveryKey::LEN]);
            open_by_recovery(sealed, &key).map(|opened| *opened.keys.database_key.expose())
        };
        let whole = sealed(1);
        let expected = *opened(&whole, PIN).unwrap().database_key.expose();
        assert_eq!(recovered(&whole, 9), Ok(expected));
        assert_eq!(recovered(&whole, 8), Err(CannotUnseal::WrongPin));
        let mut other_owner = whole.clone();
        other_owner.header.owner = "mallory".parse().unwrap();
        assert_eq!(recovered(&other_owner, 9), Err(CannotUnseal::WrongPin));
        let mut without = whole;
        without.recovery = None;
        assert_eq!(recovered(&without, 9), Err(CannotUnseal::WrongPin));
    }

    #[test]
    fn keys_that_change_places_or_come_from_another_file_are_damage() {
        let mut swapped = sealed(1);
        std::mem::swap(&mut swapped.wrapped.boxing, &mut swapped.wrapped.database);
        assert_eq!(opened(&swapped, PIN).unwrap_err(), CannotUnseal::Damaged);
        let mut mixed = sealed(1);
        mixed.wrapped = sealed(2).wrapped;
        assert_eq!(opened(&mixed, PIN).unwrap_err(), CannotUnseal::Damaged);
    }
}
