//! What `init` makes: once, privately, and around what an administrator brought.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use connect_relay::clock::Clock;
use connect_relay::identity::{Identity, InitError, init};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

fn initialised(dir: &Path, hosts: &[&str]) -> Result<Identity, InitError> {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let (clock, _) = Clock::manual(1_800_000_000_000);
    init(dir, &hosts, &clock, &mut ChaCha20Rng::seed_from_u64(1))
}

fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| {
            (
                file.file_name().into_string().unwrap(),
                fs::read(file.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_second_init_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = initialised(dir.path(), &["relay.test"]).unwrap();
    let before = contents(dir.path());
    assert_eq!(initialised(dir.path(), &["other.test"]).unwrap(), first);
    assert_eq!(initialised(dir.path(), &[]).unwrap(), first);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn an_interrupted_init_is_finished_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = initialised(dir.path(), &["relay.test"]).unwrap();
    for lost in [&["relay.toml"][..], &["tls.crt"], &["ca.pem", "tls.crt"]] {
        for name in lost {
            fs::remove_file(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(format!("{name}.new")), "half").unwrap();
        }
        let again = initialised(dir.path(), &["relay.test"]).unwrap();
        assert_eq!(again.pins, first.pins, "{lost:?}");
        assert!(lost.iter().all(|name| dir.path().join(name).exists()));
        let no_half = |(name, _): &(String, _)| Path::new(name).extension() != Some("new".as_ref());
        assert!(contents(dir.path()).iter().all(no_half));
    }
}

#[test]
fn two_keys_are_pinned_and_everything_is_private() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("state");
    let identity = initialised(&dir, &["relay.test"]).unwrap();
    assert_ne!(identity.pins[0], identity.pins[1]);
    assert!(
        identity
            .pins
            .iter()
            .all(|pin| pin.starts_with("sha256/") && pin.len() == 51)
    );
    assert_eq!(identity.ca_pem_path, Some(dir.join("ca.pem")));
    assert_eq!(identity.expires_ms, 1_800_000_000_000 + 825 * 86_400_000);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for (name, _) in contents(&dir) {
        assert_eq!(mode(&dir.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn an_administrators_own_certificate_is_left_alone() {
    let other = tempfile::tempdir().unwrap();
    let theirs = initialised(other.path(), &["hospital.test"]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for file in ["tls.crt", "tls.key"] {
        fs::copy(other.path().join(file), dir.path().join(file)).unwrap();
    }
    let identity = initialised(dir.path(), &["hospital.test"]).unwrap();
    assert_eq!(identity.pins[0], theirs.pins[0]);
    assert_ne!(identity.pins[1], theirs.pins[1]);
    assert_eq!(identity.ca_pem_path, None);
}

#[test]
fn what_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(
        initialised(dir.path(), &[]),
        Err(InitError::NoHost)
    ));
    fs::write(dir.path().join("tls.crt"), "no certificate").unwrap();
    assert!(matches!(
        initialised(dir.path(), &["a.test"]),
        Err(InitError::Half(..))
    ));
    fs::write(dir.path().join("tls.key"), "no key").unwrap();
    assert!(matches!(
        initialised(dir.path(), &["a.test"]),
        Err(InitError::Content(..))
    ));
}
