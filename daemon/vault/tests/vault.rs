//! The vault from outside: what opens it, what does not, and what lies on the disk meanwhile.
#![expect(clippy::unwrap_used, reason = "in tests a panic is the answer")]

use std::fs;
use std::path::{Path, PathBuf};

use connect_vault::attempts::{AttemptTime, Standing};
use connect_vault::keys::Keys;
use connect_vault::keystore::{Keystore, KeystoreError, KeystoreKind, KeystoreTrouble};
use connect_vault::vault::{ChangePinError, KdfCost, PinRefused, UnlockError, Vault, VaultError};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tempfile::TempDir;

const PIN: &str = "29571";
const WRONG: &str = "29572";
const PASSPHRASE: &str = "correct horse battery staple";

struct Home {
    home: TempDir,
    rng: ChaCha20Rng,
}

impl Home {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            rng: ChaCha20Rng::seed_from_u64(1),
        }
    }

    fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    fn secrets(&self) -> PathBuf {
        self.home.path().join("keystore")
    }

    fn vault(&self) -> Vault {
        let directory = self.secrets();
        Vault::new(
            &self.state(),
            Keystore::File { directory },
            KdfCost::for_tests(),
        )
    }

    fn passphrase_vault(&self) -> Vault {
        Vault::new(&self.state(), Keystore::Passphrase, KdfCost::for_tests())
    }

    /// A vault of Alice's, sealed under `PIN`.
    fn enrolled() -> (Self, Vault) {
        let mut home = Self::new();
        let vault = home.vault();
        let keys = Keys::generate("alice".parse().unwrap(), &mut home.rng);
        vault.create(&keys, PIN, None, &mut home.rng).unwrap();
        (home, vault)
    }

    fn only_secret(&self) -> PathBuf {
        let [path] = files(&self.secrets()).try_into().unwrap();
        path
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).map_or_else(|_| Vec::new(), Iterator::collect);
    entries
        .into_iter()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn at(boot_ms: u64) -> AttemptTime {
    after_boot("one", boot_ms)
}

fn after_boot(boot_id: &str, boot_ms: u64) -> AttemptTime {
    AttemptTime {
        boot_id: boot_id.to_owned(),
        boot_ms,
    }
}

/// Guesses wrongly, as soon as each guess is allowed; gives the time after the last one.
fn guess_wrongly(vault: &Vault, times: u32) -> u64 {
    let mut now = 0;
    for _ in 0..times {
        match vault.unlock(WRONG, &at(now)) {
            Err(UnlockError::WrongPin { retry_after_ms, .. }) => now += retry_after_ms,
            Err(UnlockError::Disabled) => {}
            other => panic!("{other:?}"),
        }
    }
    now
}

#[test]
fn sealed_keys_open_with_their_pin_and_for_their_owner() {
    let mut home = Home::new();
    let keys = Keys::generate("alice".parse().unwrap(), &mut home.rng);
    for (vault, pin) in [(home.vault(), PIN), (home.passphrase_vault(), PASSPHRASE)] {
        assert!(!vault.exists());
        assert_eq!(vault.owner().unwrap(), None);
        vault.create(&keys, pin, None, &mut home.rng).unwrap();
        let opened = vault.unlock(pin, &at(0)).unwrap();
        assert_eq!(opened.owner, keys.owner);
        assert_eq!(opened.box_key.expose(), keys.box_key.expose());
        assert_eq!(vault.owner().unwrap(), Some(keys.owner.clone()));
        vault.remove().unwrap();
    }
}

#[test]
fn keys_are_never_overwritten() {
    let (mut home, vault) = Home::enrolled();
    let others = Keys::generate("bob".parse().unwrap(), &mut home.rng);
    let refused = vault.create(&others, PIN, None, &mut home.rng);
    assert!(matches!(refused, Err(VaultError::Exists)));
    assert_eq!(vault.unlock(PIN, &at(0)).unwrap().owner.as_str(), "alice");
    assert_eq!(files(&home.secrets()).len(), 1);
}

#[test]
fn a_pin_that_is_not_allowed_seals_nothing() {
    let mut home = Home::new();
    let keys = Keys::generate("alice".parse().unwrap(), &mut home.rng);
    let refused = home.vault().create(&keys, "1234", None, &mut home.rng);
    assert_eq!(refused, Err(VaultError::Pin(PinRefused::TooShort)));
    let refused = home
        .passphrase_vault()
        .create(&keys, PIN, None, &mut home.rng);
    assert_eq!(refused, Err(VaultError::Pin(PinRefused::TooShort)));
    assert!(files(&home.state()).is_empty() && files(&home.secrets()).is_empty());
}

#[test]
fn no_keystore_stands_in_for_another() {
    let (home, _) = Home::enrolled();
    let other = home.passphrase_vault();
    assert_eq!(
        other.unlock(PIN, &at(0)).unwrap_err(),
        UnlockError::Keystore(KeystoreTrouble::OtherKind)
    );
    assert!(matches!(
        other.check_keystore(),
        Err(KeystoreError::OtherKind {
            sealed: KeystoreKind::File,
            configured: KeystoreKind::Passphrase,
        })
    ));
}

#[test]
fn what_the_keystore_does_not_give_is_no_attempt() {
    let (home, vault) = Home::enrolled();
    let path = home.only_secret();
    let secret = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(
        vault.unlock(PIN, &at(0)).unwrap_err(),
        UnlockError::Keystore(KeystoreTrouble::Missing)
    );
    assert!(matches!(
        vault.check_keystore(),
        Err(KeystoreError::Missing)
    ));
    for content in [vec![0; 32], vec![0; 31], vec![0; 33]] {
        fs::write(&path, &content).unwrap();
        restrict(&path);
        assert_eq!(
            vault.unlock(PIN, &at(0)).unwrap_err(),
            UnlockError::Keystore(KeystoreTrouble::Damaged)
        );
        assert!(matches!(
            vault.check_keystore(),
            Err(KeystoreError::Damaged)
        ));
    }
    fs::write(&path, &secret).unwrap();
    assert!(vault.check_keystore().is_ok());
    assert_eq!(
        vault.standing(&at(0)).unwrap(),
        Standing::Free { attempts_left: 9 }
    );
    assert!(vault.unlock(PIN, &at(0)).is_ok());
}

#[cfg(unix)]
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn restrict(_: &Path) {}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, vault) = Home::enrolled();
    fs::set_permissions(home.only_secret(), fs::Permissions::from_mode(0o604)).unwrap();
    let refused = vault.unlock(PIN, &at(0)).unwrap_err();
    assert_eq!(refused, UnlockError::Keystore(KeystoreTrouble::Exposed));
    assert!(matches!(
        vault.check_keystore(),
        Err(KeystoreError::Exposed)
    ));
}

#[test]
fn nine_wrong_pins_disable_even_the_right_one_until_it_is_reset() {
    let (_home, vault) = Home::enrolled();
    let mut answers = Vec::new();
    let mut now = 0;
    while let Err(UnlockError::WrongPin {
        retry_after_ms,
        attempts_left,
    }) = vault.unlock(WRONG, &at(now))
    {
        answers.push((retry_after_ms / 1000, attempts_left));
        now += retry_after_ms;
    }
    let table = [
        (0, 8),
        (0, 7),
        (0, 6),
        (30, 5),
        (60, 4),
        (300, 3),
        (900, 2),
        (3600, 1),
    ];
    assert_eq!(answers, table);
    let refused = vault.unlock(PIN, &at(now + 86_400_000)).unwrap_err();
    assert!(matches!(refused, UnlockError::Disabled));
    assert_eq!(vault.standing(&at(now)).unwrap(), Standing::Disabled);
    vault.reset_attempts().unwrap();
    assert!(vault.unlock(PIN, &at(now)).is_ok());
}

#[test]
fn the_right_pin_waits_too_and_then_forgives() {
    let (home, vault) = Home::enrolled();
    guess_wrongly(&vault, 4);
    for (now, left) in [(0, 30_000), (29_999, 1)] {
        let early = vault.unlock(PIN, &at(now)).unwrap_err();
        assert!(
            matches!(early, UnlockError::Wait { retry_after_ms, attempts_left: 5 } if retry_after_ms == left)
        );
    }
    let reopened = home.vault();
    assert!(reopened.unlock(PIN, &at(30_000)).is_ok());
    assert_eq!(
        vault.standing(&at(30_000)).unwrap(),
        Standing::Free { attempts_left: 9 }
    );
}

#[test]
fn a_reboot_starts_the_full_wait_from_the_first_look() {
    let (_home, vault) = Home::enrolled();
    guess_wrongly(&vault, 5);
    let waits = |retry_after_ms| Standing::Wait {
        retry_after_ms,
        attempts_left: 4,
    };
    let standing = |now| vault.standing(&now).unwrap();
    assert_eq!(standing(after_boot("two", 90_000)), waits(60_000));
    assert_eq!(standing(after_boot("two", 140_000)), waits(10_000));
    assert_eq!(standing(after_boot("three", 10)), waits(60_000));
    let early = vault.unlock(PIN, &after_boot("three", 60_009)).unwrap_err();
    assert!(matches!(
        early,
        UnlockError::Wait {
            retry_after_ms: 1,
            ..
        }
    ));
    assert!(vault.unlock(PIN, &after_boot("three", 60_010)).is_ok());
}

#[test]
fn an_attempt_that_cannot_be_counted_is_not_evaluated() {
    let (home, vault) = Home::enrolled();
    fs::create_dir(home.state().join("attempts.json")).unwrap();
    let refused = vault.unlock(PIN, &at(0)).unwrap_err();
    assert_eq!(refused, UnlockError::Storage);
}

#[test]
fn an_unreadable_count_leaves_one_attempt_after_the_longest_wait() {
    let (home, vault) = Home::enrolled();
    for damage in ["", "{", r#"{"version":2}"#, &"9".repeat(5000)] {
        fs::write(home.state().join("attempts.json"), damage).unwrap();
        let waits = Standing::Wait {
            retry_after_ms: 3_600_000,
            attempts_left: 1,
        };
        assert_eq!(vault.standing(&at(5)).unwrap(), waits);
    }
    assert!(vault.unlock(PIN, &at(3_600_005)).is_ok());
}

#[test]
fn damage_is_told_from_a_wrong_pin_and_costs_no_attempt() {
    let (home, vault) = Home::enrolled();
    let path = home.state().join("keys.sealed");
    let whole = fs::read_to_string(&path).unwrap();
    for damaged in [
        whole.replace("alice", "alicf"),
        whole[..100].to_owned(),
        String::new(),
    ] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(
            vault.unlock(PIN, &at(0)),
            Err(UnlockError::Damaged)
        ));
        assert!(matches!(vault.owner(), Err(VaultError::Damaged)));
    }
    fs::write(&path, whole).unwrap();
    assert_eq!(
        vault.standing(&at(0)).unwrap(),
        Standing::Free { attempts_left: 9 }
    );
    assert!(vault.unlock(PIN, &at(0)).is_ok());
}

#[test]
fn a_changed_pin_opens_and_the_old_one_does_not() {
    let (mut home, vault) = Home::enrolled();
    let short = vault.change_pin(PIN, "0000", &at(0), &mut home.rng);
    assert!(matches!(
        short,
        Err(ChangePinError::Seal(VaultError::Pin(PinRefused::TooShort)))
    ));
    let wrong = vault.change_pin(WRONG, "80462", &at(0), &mut home.rng);
    assert!(matches!(
        wrong,
        Err(ChangePinError::Unlock(UnlockError::WrongPin {
            attempts_left: 8,
            ..
        }))
    ));
    let before = vault.unlock(PIN, &at(0)).unwrap();
    vault
        .change_pin(PIN, "80462", &at(0), &mut home.rng)
        .unwrap();
    let after = vault.unlock("80462", &at(0)).unwrap();
    assert_eq!(before.sign_key.expose_seed(), after.sign_key.expose_seed());
    assert!(matches!(
        vault.unlock(PIN, &at(0)),
        Err(UnlockError::WrongPin { .. })
    ));
}

#[test]
fn removing_leaves_nothing_and_may_be_repeated() {
    let (home, vault) = Home::enrolled();
    guess_wrongly(&vault, 1);
    fs::write(home.state().join(".keys.sealed.abc.new"), "half").unwrap();
    vault.remove().unwrap();
    assert!(files(&home.state()).is_empty() && files(&home.secrets()).is_empty());
    vault.remove().unwrap();
    assert!(matches!(
        vault.unlock(PIN, &at(0)),
        Err(UnlockError::NotEnrolled)
    ));
}

#[test]
fn a_damaged_vault_can_be_removed() {
    let (home, vault) = Home::enrolled();
    fs::write(home.state().join("keys.sealed"), "noise").unwrap();
    vault.remove().unwrap();
    assert!(!vault.exists());
}

#[test]
fn two_accounts_share_a_keystore_directory() {
    let (mut home, alice) = Home::enrolled();
    let directory = home.secrets();
    let state = home.home.path().join("bob");
    let bob = Vault::new(&state, Keystore::File { directory }, KdfCost::for_tests());
    let keys = Keys::generate("bob".parse().unwrap(), &mut home.rng);
    bob.create(&keys, PIN, None, &mut home.rng).unwrap();
    bob.remove().unwrap();
    assert!(alice.unlock(PIN, &at(0)).is_ok());
}

#[test]
fn nothing_on_the_disk_holds_the_pin_or_a_key() {
    let (home, vault) = Home::enrolled();
    guess_wrongly(&vault, 1);
    let keys = vault.unlock(PIN, &at(0)).unwrap();
    let secret_keys = [
        keys.box_key.expose(),
        keys.sign_key.expose_seed(),
        keys.database_key.expose(),
        keys.local_file_key.expose(),
    ];
    for path in [files(&home.state()), files(&home.secrets())].concat() {
        let content = fs::read(&path).unwrap();
        let holds = |needle: &[u8]| content.windows(needle.len()).any(|window| window == needle);
        for key in secret_keys {
            assert!(!holds(key) && !holds(hex::encode(key).as_bytes()));
        }
        assert!(!holds(format!("\"{PIN}\"").as_bytes()));
    }
}

#[cfg(unix)]
#[test]
fn everything_on_the_disk_is_for_the_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, vault) = Home::enrolled();
    guess_wrongly(&vault, 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for directory in [home.state(), home.secrets()] {
        assert_eq!(mode(&directory), 0o700);
        for file in files(&directory) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
}
