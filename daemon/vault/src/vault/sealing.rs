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
use crate::keys::{Keys, NextKeys};
use crate::keystore::{KeystoreKind, KeystoreSecret, SecretId};
use crate::recovery::RecoveryKey;
use crate::sealed::{Header, MAX_RETIRED, Next, Retired, SALT_LEN, Sealed, Wrapped};

/// What keys are sealed under.
pub(super) struct SealUnder<'a> {
    pub(super) keystore: KeystoreKind,
    pub(super) secret_id: Option<SecretId>,
    pub(super) secret: &'a KeystoreSecret,
    pub(super) cost: KdfCost,
    pub(super) pin: &'a str,
}

/// Seals a new account's keys.
pub(super) fn seal(
    keys: &Keys,
    under: SealUnder<'_>,
    recovery: Option<&RecoveryKey>,
    rng: &mut impl CryptoRngCore,
) -> io::Result<Sealed> {
    let master = &keys.master;
    let (header, boxed) = seal_master(master, &keys.owner, under, rng)?;
    Ok(Sealed {
        header,
        master: boxed,
        recovery: recovery.map(|key| seal_for_recovery(master, &keys.owner, key, rng)),
        wrapped: wrap_all(keys, rng),
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
) -> Result<Keys, CannotUnseal> {
    let unlock_key = kdf::unlock_key(&sealed.header, secret, pin)
        .map_err(|CannotDerive| CannotUnseal::OutOfMemory)?;
    open_with(
        &unlock_key,
        &sealed.master,
        &sealed.header.owner,
        &sealed.wrapped,
    )
}

/// `WrongPin` where it is another account's recovery key, or the account has none.
pub(super) fn open_by_recovery(sealed: &Sealed, key: &RecoveryKey) -> Result<Keys, CannotUnseal> {
    let boxed = sealed.recovery.as_ref().ok_or(CannotUnseal::WrongPin)?;
    open_boxes(&sealed.header.owner, boxed, &sealed.wrapped, key)
}

/// The boxes that the recovery key opens, wherever they lie.
pub(super) fn open_boxes(
    owner: &UserId,
    boxed: &[u8],
    wrapped: &Wrapped,
    key: &RecoveryKey,
) -> Result<Keys, CannotUnseal> {
    open_with(&key.unlock_key(owner), boxed, owner, wrapped)
}

fn open_with(
    key: &UnlockKey,
    boxed: &[u8],
    owner: &UserId,
    wrapped: &Wrapped,
) -> Result<Keys, CannotUnseal> {
    let master = secretbox::open(key, boxed).map_err(|CannotOpen| CannotUnseal::WrongPin)?;
    let master = master
        .as_slice()
        .try_into()
        .map_err(|_| CannotUnseal::Damaged)?;
    let master = MasterKey::from_bytes(master);
    unwrap_all(master, owner, wrapped).map_err(|CannotOpen| CannotUnseal::Damaged)
}

fn wrap_all(keys: &Keys, rng: &mut impl CryptoRngCore) -> Wrapped {
    let mut wrap = |purpose, key: &[u8; 32]| wrap(&keys.master, purpose, &keys.owner, key, rng);
    Wrapped {
        boxing: wrap(KeyPurpose::Box, keys.box_key.expose()),
        signing: wrap(KeyPurpose::Sign, keys.sign_key.expose_seed()),
        database: wrap(KeyPurpose::Database, keys.database_key.expose()),
        local_file: wrap(KeyPurpose::LocalFile, keys.local_file_key.expose()),
        retired: Vec::new(),
        next: None,
    }
}

/// Puts the keys of a rotation beside those in force, in the place of others that were there.
///
/// What a rotation writes is wrapped by the local-file key, which the master key wraps: only that one is in memory while
/// the account is unlocked.
pub(super) fn add_next(
    sealed: &mut Sealed,
    under: &LocalFileKey,
    next: &NextKeys,
    rng: &mut impl CryptoRngCore,
) {
    let owner = &sealed.header.owner;
    let mut wrap = |purpose, key: &[u8; 32]| wrap(under, purpose, owner, key, rng);
    sealed.wrapped.next = Some(Next {
        boxing: wrap(KeyPurpose::NextBox, next.box_key.expose()),
        signing: wrap(KeyPurpose::NextSign, next.sign_key.expose_seed()),
    });
}

/// The keys of a rotation are in force, and the Box Key before them is retired. Where no rotation has begun, nothing
/// is changed.
pub(super) fn promote_next(
    sealed: &mut Sealed,
    under: &LocalFileKey,
    before: &BoxSecretKey,
    rng: &mut impl CryptoRngCore,
) -> Result<(), CannotOpen> {
    let Some(next) = sealed.wrapped.next.take() else {
        return Ok(());
    };
    let owner = &sealed.header.owner;
    let boxing = unwrap(under, KeyPurpose::NextBox, owner, &next.boxing)?;
    let signing = unwrap(under, KeyPurpose::NextSign, owner, &next.signing)?;
    let mut wrap = |purpose, key: &[u8; 32]| wrap(under, purpose, owner, key, rng);
    let retired = Retired(wrap(KeyPurpose::RetiredBox, before.expose()));
    sealed.wrapped.boxing = wrap(KeyPurpose::Box, &boxing);
    sealed.wrapped.signing = wrap(KeyPurpose::Sign, &signing);
    sealed.wrapped.retired.insert(0, retired);
    sealed.wrapped.retired.truncate(MAX_RETIRED);
    Ok(())
}

fn unwrap_all(master: MasterKey, owner: &UserId, wrapped: &Wrapped) -> Result<Keys, CannotOpen> {
    let by_master = |purpose, key: &[u8]| unwrap(&master, purpose, owner, key);
    let local_file = by_master(KeyPurpose::LocalFile, &wrapped.local_file)?;
    let local_file_key = LocalFileKey::from_bytes(&local_file);
    let by_local_file = |purpose, key: &[u8]| unwrap(&local_file_key, purpose, owner, key);
    // Those that the account was made with, or those of its last rotation.
    let in_force = |purpose, key: &[u8]| {
        by_master(purpose, key).or_else(|CannotOpen| by_local_file(purpose, key))
    };
    let retired = wrapped.retired.iter().map(|retired| {
        let key = by_local_file(KeyPurpose::RetiredBox, &retired.0)?;
        Ok(BoxSecretKey::from_bytes(&key))
    });
    let retired = retired.collect::<Result<_, CannotOpen>>()?;
    let next = match &wrapped.next {
        None => None,
        Some(next) => Some(NextKeys {
            box_key: BoxSecretKey::from_bytes(&*by_local_file(KeyPurpose::NextBox, &next.boxing)?),
            sign_key: SignSecretKey::from_seed(&*by_local_file(
                KeyPurpose::NextSign,
                &next.signing,
            )?),
        }),
    };
    Ok(Keys {
        owner: owner.clone(),
        retired,
        next,
        box_key: BoxSecretKey::from_bytes(&*in_force(KeyPurpose::Box, &wrapped.boxing)?),
        sign_key: SignSecretKey::from_seed(&*in_force(KeyPurpose::Sign, &wrapped.signing)?),
        database_key: DatabaseKey::from_bytes(&*by_master(
            KeyPurpose::Database,
            &wrapped.database,
        )?),
        local_file_key,
        master,
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
        open(sealed, &KeystoreSecret::none(), pin)
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
            open_by_recovery(sealed, &key).map(|keys| *keys.database_key.expose())
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
    fn keys_of_a_rotation_take_their_place_and_the_one_before_is_kept() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut file = sealed(1);
        let first = opened(&file, PIN).unwrap();
        let next = NextKeys::generate(&mut rng);
        add_next(&mut file, &first.local_file_key, &next, &mut rng);
        let begun = opened(&file, PIN).unwrap();
        assert_eq!(begun.box_key.expose(), first.box_key.expose());
        let beside = begun.next.unwrap();
        assert_eq!(beside.box_key.expose(), next.box_key.expose());
        assert_eq!(beside.sign_key.expose_seed(), next.sign_key.expose_seed());

        for _ in 0..2 {
            promote_next(&mut file, &first.local_file_key, &first.box_key, &mut rng).unwrap();
        }
        let rotated = opened(&file, PIN).unwrap();
        assert_eq!(rotated.box_key.expose(), next.box_key.expose());
        assert_eq!(rotated.sign_key.expose_seed(), next.sign_key.expose_seed());
        assert_eq!(rotated.retired.len(), 1);
        assert_eq!(rotated.retired[0].expose(), first.box_key.expose());
        assert!(rotated.next.is_none());
    }

    #[test]
    fn no_key_of_a_rotation_passes_for_another() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut file = sealed(1);
        let first = opened(&file, PIN).unwrap();
        let next = NextKeys::generate(&mut rng);
        add_next(&mut file, &first.local_file_key, &next, &mut rng);
        let mut swapped = file.clone();
        let next = swapped.wrapped.next.as_mut().unwrap();
        std::mem::swap(&mut swapped.wrapped.boxing, &mut next.boxing);
        assert_eq!(opened(&swapped, PIN).unwrap_err(), CannotUnseal::Damaged);
        promote_next(&mut file, &first.local_file_key, &first.box_key, &mut rng).unwrap();
        let retired = &mut file.wrapped.retired[0].0;
        std::mem::swap(&mut file.wrapped.boxing, retired);
        assert_eq!(opened(&file, PIN).unwrap_err(), CannotUnseal::Damaged);
    }

    #[test]
    fn the_oldest_retired_key_goes_past_the_most_that_are_kept() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let mut file = sealed(1);
        let first = opened(&file, PIN).unwrap();
        let under = &first.local_file_key;
        let mut before = BoxSecretKey::from_bytes(first.box_key.expose());
        for _ in 0..=MAX_RETIRED {
            let next = NextKeys::generate(&mut rng);
            add_next(&mut file, under, &next, &mut rng);
            promote_next(&mut file, under, &before, &mut rng).unwrap();
            before = next.box_key;
        }
        let retired = opened(&file, PIN).unwrap().retired;
        assert_eq!(retired.len(), MAX_RETIRED);
        let is_first = |key: &BoxSecretKey| key.expose() == first.box_key.expose();
        assert!(!retired.iter().any(is_first));
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
