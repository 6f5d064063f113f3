//! Against the real thing: GNOME Keyring on a private session bus, and what `systemd-creds` encrypts.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use connect_vault::keystore::{CREDENTIAL, Keystore, KeystoreTrouble};

use super::keyring::Desktop;
use super::{PIN, Removed, cannot_make, cannot_serve, conforms, enrolled, opened};

fn keystore(desktop: &Desktop) -> Keystore {
    Keystore::SecretService {
        bus: Some(desktop.bus()),
    }
}

#[test]
fn a_keyring_conforms() {
    let Some(mut desktop) = Desktop::new().unwrap() else {
        return;
    };
    desktop.log_in().unwrap();
    let keystore = keystore(&desktop);
    conforms(&keystore, &Removed::Forgets, || desktop.log_in().unwrap());
}

#[test]
fn a_keyring_that_is_locked_or_away_says_so_and_serves_again_afterwards() {
    let Some(mut desktop) = Desktop::new().unwrap() else {
        return;
    };
    let keystore = keystore(&desktop);
    desktop.log_in().unwrap();
    let home = tempfile::tempdir().unwrap();
    let keys = enrolled(home.path(), &keystore, "alice");
    desktop.start_locked().unwrap();
    cannot_serve(home.path(), &keystore, KeystoreTrouble::KeyringLocked);
    desktop.kill_keyring();
    cannot_serve(home.path(), &keystore, KeystoreTrouble::NoKeyringService);
    desktop.log_in().unwrap();
    assert_eq!(opened(home.path(), &keystore, PIN), Ok(keys));
    drop(desktop);
    cannot_serve(home.path(), &keystore, KeystoreTrouble::NoKeyringService);
}

#[test]
fn where_there_is_no_default_keyring_none_is_made() {
    let Some(mut desktop) = Desktop::new().unwrap() else {
        return;
    };
    let keystore = keystore(&desktop);
    desktop.start_locked().unwrap();
    cannot_make(&keystore, KeystoreTrouble::NoKeyring);
}

#[test]
fn an_address_that_is_none_is_no_bus() {
    for bus in ["", "unix:path=/nonexistent/bus", "nonsense"] {
        let keystore = Keystore::SecretService {
            bus: Some(bus.to_owned()),
        };
        cannot_make(&keystore, KeystoreTrouble::NoKeyringService);
    }
}

#[test]
fn the_keyring_has_the_secret_under_its_own_password_alone() {
    let Some(mut desktop) = Desktop::new().unwrap() else {
        return;
    };
    let keystore = keystore(&desktop);
    desktop.log_in().unwrap();
    let home = tempfile::tempdir().unwrap();
    enrolled(home.path(), &keystore, "alice");
    // All that a copy of the two has is a sealed file and a keyring that nobody opened.
    let mut other = Desktop::new().unwrap().unwrap();
    other.log_in().unwrap();
    let elsewhere = Keystore::SecretService {
        bus: Some(other.bus()),
    };
    let refused = opened(home.path(), &elsewhere, PIN);
    assert_eq!(
        refused,
        Err(connect_vault::vault::UnlockError::Keystore(
            KeystoreTrouble::Missing
        ))
    );
    let kept = fs::read_dir(desktop.files()).unwrap().count();
    assert!(kept > 0);
}

/// The host's key where there is one already; a test makes none.
fn key() -> &'static str {
    if Path::new("/var/lib/systemd/credential.secret").exists() {
        "host"
    } else {
        "tpm2-absent"
    }
}

/// Past what keeps back the output of a test that passes: nobody may take it for run where it was not.
fn say(what: &str) {
    let line = format!("{what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn systemd_creds(arguments: &[&str], from: &Path, to: &Path) -> std::io::Result<bool> {
    Command::new("systemd-creds")
        .args(arguments)
        .arg("--name=connectd.keystore")
        .args([from, to])
        .stderr(Stdio::null())
        .status()
        .map(|status| status.success())
}

#[test]
fn what_systemd_creds_encrypts_is_read_where_systemd_decrypts_it() {
    let home = tempfile::tempdir().unwrap();
    let [plain, sealed, directory] =
        ["plain", "sealed", "credentials"].map(|name| home.path().join(name));
    fs::write(&plain, [7; 32]).unwrap();
    fs::create_dir(&directory).unwrap();
    let with_key = format!("--with-key={}", key());
    let can = systemd_creds(&["encrypt", &with_key], &plain, &sealed).unwrap_or(false);
    if !can {
        say("NOT RUN: systemd-creds cannot encrypt on this machine");
        return;
    }
    let encrypted = fs::read(&sealed).unwrap();
    assert!(!encrypted.windows(32).any(|window| window == [7; 32]));
    assert!(systemd_creds(&["decrypt"], &sealed, &directory.join(CREDENTIAL)).unwrap());
    say(&format!("ran systemd-creds with the key `{}`", key()));
    let keystore = Keystore::SystemdCredential {
        directory: Some(directory),
    };
    conforms(&keystore, &Removed::Keeps, || {});
}
