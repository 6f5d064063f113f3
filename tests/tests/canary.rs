//! The search for canaries finds what is planted, in every spelling, and does not call a run whole that was not.

use std::path::Path;

use anyhow::Result;
use connect_tests::canary::search::{Kind, check, spellings};

/// One for each kind; no two of them alike.
fn secret(kind: Kind) -> Vec<u8> {
    format!("{}\u{e9}\0", kind.name()).repeat(4).into_bytes()
}

/// What a run leaves that kept everything to itself.
fn run(kinds: &[Kind]) -> Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    for folder in ["logs", "errors", "secrets", "tmp/deep"] {
        std::fs::create_dir_all(dir.path().join(folder))?;
    }
    let lines = kinds.iter().map(|kind| {
        let secret = hex::encode(secret(*kind));
        format!("{} {secret}\n", kind.name())
    });
    std::fs::write(dir.path().join("secrets/a"), lines.collect::<String>())?;
    std::fs::write(dir.path().join("logs/a"), vec![b'.'; 3 << 20])?;
    Ok(dir)
}

fn found(dir: &Path) -> Result<Vec<String>> {
    Ok(check(dir, Some(1 << 20))?.found)
}

#[test]
fn what_is_planted_is_found_in_every_spelling_and_wherever_it_stands() -> Result<()> {
    let dir = run(&Kind::ALL)?;
    assert_eq!(found(dir.path())?, [""; 0]);
    let mut planted = 0;
    // Across the border of two pieces too.
    for (file, before) in [
        ("logs/b", (1 << 20) - 5),
        ("errors/b", 0),
        ("tmp/deep/b", 7),
    ] {
        for kind in Kind::ALL {
            for spelled in spellings(&secret(kind)) {
                let path = dir.path().join(file);
                std::fs::write(&path, [vec![b' '; before], spelled].concat())?;
                let found = found(dir.path())?;
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].starts_with(kind.name()), "{found:?}");
                std::fs::remove_file(path)?;
                planted += 1;
            }
        }
    }
    assert_eq!(planted, 3 * 8 * 10);
    Ok(())
}

#[test]
fn what_a_story_found_at_its_end_is_told() -> Result<()> {
    let dir = run(&Kind::ALL)?;
    std::fs::create_dir(dir.path().join("found"))?;
    std::fs::write(dir.path().join("found/a"), "pin in alice/account\n")?;
    assert_eq!(found(dir.path())?, ["pin in alice/account"]);
    Ok(())
}

#[test]
fn a_run_without_a_kind_of_secret_or_without_logs_is_no_run() -> Result<()> {
    for kind in Kind::ALL {
        let others = Kind::ALL.into_iter().filter(|other| *other != kind);
        let dir = run(&others.collect::<Vec<_>>())?;
        let error = found(dir.path()).expect_err("a kind is missing");
        assert!(error.to_string().contains(kind.name()), "{error}");
    }
    let dir = run(&Kind::ALL)?;
    std::fs::write(dir.path().join("logs/a"), "little")?;
    assert!(found(dir.path()).is_err());
    Ok(())
}
