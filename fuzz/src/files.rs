//! Targets that read files of the daemon's.

use std::path::PathBuf;
use std::sync::LazyLock;

use connect_service::backup::format::{Header, Manifest};
use connect_service::backup::read::Opener;
use connect_vault::attempts::AttemptTime;
use connect_vault::keystore::Keystore;
use connect_vault::recovery::RecoveryKey;
use connect_vault::sealed::Sealed;
use connect_vault::vault::{KdfCost, Vault};
use connectd::config::{self, Overrides};
use tempfile::TempDir;

static DIR: LazyLock<TempDir> = LazyLock::new(crate::daemon::fresh_dir);

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = DIR.path().join(name);
    std::fs::write(&path, content).expect("a temporary file");
    path
}

/// The header as anyone reads it, and all of it under a key that it was not made for.
pub(crate) fn backup(data: &[u8]) {
    if let Ok(Some((_, length))) = Header::read(data) {
        assert!(length <= data.len());
    }
    if let Ok((_, begin)) = Manifest::read(data) {
        assert!(begin <= data.len());
    }
    let key = RecoveryKey::from_bytes(&[5; RecoveryKey::LEN]);
    let mut opener = Opener::new(key, data.len() as u64);
    let mut database = Vec::new();
    let fits = data
        .chunks(7)
        .all(|piece| opener.push(piece, &mut database).is_ok());
    assert!(!(fits && opener.finish().is_ok()), "nobody sealed it");
}

pub(crate) fn sealed(data: &[u8]) {
    let _ = Sealed::parse(data);
}

/// Whatever the count of attempts says, nobody gains one.
pub(crate) fn attempts(data: &[u8]) {
    file("attempts.json", data);
    let vault = Vault::new(DIR.path(), Keystore::Passphrase, KdfCost::for_tests());
    let now = AttemptTime {
        boot_id: "6f3a2f0e-0000-4000-8000-000000000000".to_owned(),
        boot_ms: 1_000_000,
    };
    let first = vault.standing(&now).expect("the file can be read");
    assert_eq!(
        format!("{first:?}"),
        format!("{:?}", vault.standing(&now).expect("again"))
    );
}

pub(crate) fn config(data: &[u8]) {
    let overrides = Overrides {
        state_dir: Some("/state".into()),
        socket: Some("/socket".into()),
        config: Some(file("connectd.toml", data)),
    };
    if let Err(error) = config::load(overrides) {
        let _ = error.to_string();
    }
}
