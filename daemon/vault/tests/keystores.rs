//! Every kind of keystore, held to the same: what it keeps, how it forgets, and what it says when it cannot serve.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the answer")]

#[cfg(target_os = "linux")]
#[expect(
    unreachable_pub,
    reason = "shared with the stories of the whole daemon"
)]
#[path = "../../../tests/src/keyring.rs"]
mod keyring;
#[cfg(target_os = "linux")]
#[path = "keystores/linux.rs"]
mod linux;

use std::fs;
use std::path::Path;

use connect_vault::attempts::{AttemptTime, Standing};
use connect_vault::keys::Keys;
use connect_vault::keystore::{CREDENTIAL, Keystore, KeystoreError, KeystoreTrouble};
use connect_vault::vault::{KdfCost, UnlockError, Vault, VaultError};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

/// Strong enough for a kind without a secret.
const PIN: &str = "correct horse battery staple";
const NEW_PIN: &str = "another horse battery staple";

fn now() -> AttemptTime {
    AttemptTime {
        boot_id: "one".to_owned(),
        boot_ms: 0,
    }
}

fn vault(state: &Path, keystore: &Keystore) -> Vault {
    Vault::new(state, keystore.clone(), KdfCost::for_tests())
}

fn enrolled(state: &Path, keystore: &Keystore, owner: &str) -> [u8; 32] {
    let mut rng = ChaCha20Rng::from_seed([u8::try_from(owner.len()).unwrap(); 32]);
    let keys = Keys::generate(owner.parse().unwrap(), &mut rng);
    // A source of its own, as after any restart.
    vault(state, keystore)
        .create(&keys, PIN, None, &mut ChaCha20Rng::from_entropy())
        .unwrap();
    *keys.sign_key.expose_seed()
}

fn opened(state: &Path, keystore: &Keystore, pin: &str) -> Result<[u8; 32], UnlockError> {
    let keys = vault(state, keystore).unlock(pin, &now())?;
    Ok(*keys.sign_key.expose_seed())
}

/// What the kind does once an account is removed.
enum Removed {
    Forgets,
    /// Someone else made the secret, or there is none.
    Keeps,
}

/// The suite. `restart` ends what keeps the secrets and starts it again.
fn conforms(keystore: &Keystore, removed: &Removed, mut restart: impl FnMut()) {
    let home = tempfile::tempdir().unwrap();
    let [alice, bob] = ["alice", "bob"].map(|name| home.path().join(name));
    let alices = enrolled(&alice, keystore, "alice");
    let bobs = enrolled(&bob, keystore, "bob");

    // It survives, and two accounts do not meet.
    restart();
    assert_eq!(opened(&alice, keystore, PIN), Ok(alices));
    assert_eq!(opened(&bob, keystore, PIN), Ok(bobs));
    assert!(vault(&alice, keystore).check_keystore().is_ok());

    // A wrong PIN is a wrong PIN, and a new one needs no new secret.
    let wrong = opened(&alice, keystore, "a wrong one of some length");
    assert!(
        matches!(wrong, Err(UnlockError::WrongPin { .. })),
        "{wrong:?}"
    );
    vault(&alice, keystore)
        .change_pin(PIN, NEW_PIN, &now(), &mut ChaCha20Rng::from_entropy())
        .unwrap();
    restart();
    assert_eq!(opened(&alice, keystore, NEW_PIN), Ok(alices));

    no_other_kind_stands_in(&alice, keystore);

    // Removed is removed: a copy of the sealed file opens no more.
    let copy = fs::read(alice.join("keys.sealed")).unwrap();
    vault(&alice, keystore).remove().unwrap();
    vault(&alice, keystore).remove().unwrap();
    assert_eq!(
        opened(&alice, keystore, NEW_PIN),
        Err(UnlockError::NotEnrolled)
    );
    restart();
    fs::write(alice.join("keys.sealed"), copy).unwrap();
    let again = opened(&alice, keystore, NEW_PIN);
    match removed {
        Removed::Forgets => assert_eq!(again, Err(UnlockError::Keystore(KeystoreTrouble::Missing))),
        Removed::Keeps => assert_eq!(again, Ok(alices)),
    }
    assert_eq!(opened(&bob, keystore, PIN), Ok(bobs));
    vault(&bob, keystore).remove().unwrap();
}

fn no_other_kind_stands_in(state: &Path, keystore: &Keystore) {
    let others = [
        Keystore::Passphrase,
        Keystore::File {
            directory: state.join("nowhere"),
        },
        Keystore::SystemdCredential { directory: None },
    ];
    for other in others {
        if other.kind() == keystore.kind() {
            continue;
        }
        let refused = opened(state, &other, NEW_PIN);
        assert_eq!(
            refused,
            Err(UnlockError::Keystore(KeystoreTrouble::OtherKind)),
            "{other:?}"
        );
    }
    // None of that was an attempt.
    let standing = vault(state, keystore).standing(&now()).unwrap();
    assert_eq!(standing, Standing::Free { attempts_left: 9 });
}

/// It cannot serve, says why, and no attempt is counted.
#[track_caller]
fn cannot_serve(state: &Path, keystore: &Keystore, trouble: KeystoreTrouble) {
    let refused = opened(state, keystore, PIN);
    assert_eq!(refused, Err(UnlockError::Keystore(trouble)));
    let standing = vault(state, keystore).standing(&now()).unwrap();
    assert_eq!(standing, Standing::Free { attempts_left: 9 });
    cannot_make(keystore, trouble);
}

/// Nothing is sealed where the keystore takes no secret.
#[track_caller]
fn cannot_make(keystore: &Keystore, trouble: KeystoreTrouble) {
    let home = tempfile::tempdir().unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let keys = Keys::generate("carol".parse().unwrap(), &mut rng);
    let new = vault(home.path(), keystore);
    let refused = new.create(&keys, PIN, None, &mut rng);
    assert_eq!(refused, Err(VaultError::Keystore(trouble)));
    assert!(!new.exists());
}

#[test]
fn a_passphrase_conforms() {
    conforms(&Keystore::Passphrase, &Removed::Keeps, || {});
}

#[test]
fn a_file_conforms() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("keystore");
    conforms(&Keystore::File { directory }, &Removed::Forgets, || {});
}

fn credential(directory: &Path, content: &[u8]) -> Keystore {
    fs::write(directory.join(CREDENTIAL), content).unwrap();
    Keystore::SystemdCredential {
        directory: Some(directory.to_owned()),
    }
}

#[test]
fn a_systemd_credential_conforms() {
    let home = tempfile::tempdir().unwrap();
    let keystore = credential(home.path(), &[7; 32]);
    assert!(keystore.check_given().is_ok());
    conforms(&keystore, &Removed::Keeps, || {});
}

#[test]
fn a_credential_that_is_absent_another_or_none_is_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let keystore = credential(home.path(), &[7; 32]);
    enrolled(&state, &keystore, "alice");
    credential(home.path(), &[8; 32]);
    let other = opened(&state, &keystore, PIN);
    assert_eq!(other, Err(UnlockError::Keystore(KeystoreTrouble::Missing)));
    for short_or_long in [&[7; 31][..], &[7; 33], b""] {
        credential(home.path(), short_or_long);
        cannot_serve(&state, &keystore, KeystoreTrouble::Damaged);
    }
    fs::remove_file(home.path().join(CREDENTIAL)).unwrap();
    let nowhere = Keystore::SystemdCredential { directory: None };
    for absent in [&keystore, &nowhere] {
        cannot_serve(&state, absent, KeystoreTrouble::NoCredential);
        let error = absent.check_given().unwrap_err();
        assert!(matches!(error, KeystoreError::NoCredential));
        assert!(
            error.to_string().contains("systemd-creds encrypt"),
            "{error}"
        );
    }
}

/// Never run by whoever has no Mac.
#[cfg(target_os = "macos")]
#[test]
fn the_keychain_conforms() {
    conforms(&Keystore::Keychain, &Removed::Forgets, || {});
}

#[cfg(windows)]
#[test]
fn the_credential_manager_conforms() {
    conforms(&Keystore::CredentialManager, &Removed::Forgets, || {});
}
