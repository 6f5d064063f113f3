//! The count of attempts on the disk: written and synced before an attempt is evaluated (D23).
//!
//! No file means no wrong attempt: a right PIN removes it. Who can delete it can also copy the sealed file and guess
//! elsewhere; against that stand the keystore's secret and Argon2, not the count.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::attempts::{AttemptTime, Failures};
use crate::disk;

const FILE: &str = "attempts.json";
const VERSION: u32 = 1;
const MAX_BYTES: u64 = 1024;

#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    version: u32,
    failures: u32,
    boot_id: String,
    boot_ms: u64,
}

impl Ledger {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join(FILE),
        }
    }

    /// The wrong attempts so far; a wait that another boot began is begun again, and that is written down.
    pub(super) fn read(&self, now: &AttemptTime) -> io::Result<Failures> {
        let failures = match disk::read(&self.path, MAX_BYTES) {
            Ok(bytes) => bytes.and_then(|bytes| parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Failures::none()),
            Err(error) => return Err(error),
        };
        let (failures, changed) = match failures {
            Some(failures) if failures.must_restart(now) => (failures.restarted(now.clone()), true),
            Some(failures) => (failures, false),
            None => (Failures::unreadable(now.clone()), true),
        };
        if changed {
            self.write(&failures)?;
        }
        Ok(failures)
    }

    pub(super) fn write(&self, failures: &Failures) -> io::Result<()> {
        let Some(since) = &failures.since else {
            return self.clear();
        };
        let entry = Entry {
            version: VERSION,
            failures: failures.count,
            boot_id: since.boot_id.clone(),
            boot_ms: since.boot_ms,
        };
        let bytes = serde_json::to_vec(&entry).map_err(io::Error::other)?;
        disk::replace(&self.path, &bytes)
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        disk::remove(&self.path)
    }
}

fn parse(bytes: &[u8]) -> Option<Failures> {
    let entry: Entry = serde_json::from_slice(bytes).ok()?;
    (entry.version == VERSION).then_some(Failures {
        count: entry.failures,
        since: Some(AttemptTime {
            boot_id: entry.boot_id,
            boot_ms: entry.boot_ms,
        }),
    })
}
