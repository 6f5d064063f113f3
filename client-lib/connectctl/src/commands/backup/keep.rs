//! The files of a directory that backups are kept in: named by their time, so that the names are in their order.

use std::path::{Path, PathBuf};
use std::{fs, io};

use connect_api::bytes::Moment;

const PREFIX: &str = "connect-";
const SUFFIX: &str = ".backup";
/// Of a time in milliseconds, until the year 2286.
const DIGITS: usize = 13;

/// The time first; the newest event beside it, where two are made within a millisecond.
pub(crate) fn name(taken_at: Moment) -> String {
    let Moment { event_id, at_ms } = taken_at;
    format!("{PREFIX}{at_ms:0DIGITS$}-{event_id}{SUFFIX}")
}

fn is_ours(name: &str) -> bool {
    let inner = name
        .strip_prefix(PREFIX)
        .and_then(|name| name.strip_suffix(SUFFIX));
    inner
        .and_then(|inner| inner.split_once('-'))
        .is_some_and(|(at_ms, event_id)| {
            let is_number =
                |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            at_ms.len() == DIGITS && is_number(at_ms) && is_number(event_id)
        })
}

/// Removes all but the newest, and tells which went. Files of other names are nobody's to remove.
pub(crate) fn rotate(dir: &Path, count: usize) -> io::Result<Vec<PathBuf>> {
    let mut ours = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        ours.extend(
            name.to_str()
                .filter(|name| is_ours(name))
                .map(str::to_owned),
        );
    }
    ours.sort_unstable();
    ours.reverse();
    let mut removed = Vec::new();
    for name in ours.into_iter().skip(count) {
        let path = dir.join(name);
        fs::remove_file(&path)?;
        removed.push(path);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_what_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let named = |at_ms| name(Moment { event_id: 7, at_ms });
        let others = [
            "connect-notes.backup",
            "connect-1-2.backup",
            "letters.backup",
        ];
        for name in [1_700_000_000_000, 999, 1_700_000_000_001].map(named) {
            fs::write(dir.path().join(name), "").unwrap();
        }
        for name in others {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let removed = rotate(dir.path(), 2).unwrap();
        assert_eq!(removed, [dir.path().join(named(999))]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
        assert!(rotate(dir.path(), 2).unwrap().is_empty());
    }
}
