//! The mark that an installation was revoked: durable, outside the database, and without a secret.

use std::path::Path;

use connect_vault::disk;
use serde::{Deserialize, Serialize};

/// In the account's directory: it was revoked, and opens no more.
const MARK: &str = "revoked.json";
const MARK_VERSION: u32 = 1;
const MAX_MARK: u64 = 4 << 10;

/// What ended the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Revocation {
    /// The account was enrolled elsewhere.
    Replaced,
    /// By an operator, or by the account's deletion.
    Revoked,
    Compromised,
}

/// For whoever looks at the disk: why, and when it was noticed. No secret.
#[derive(Serialize, Deserialize)]
struct Mark {
    version: u32,
    state: Revocation,
    noticed_ms: u64,
}

pub(crate) fn is_marked(account_dir: &Path) -> bool {
    // One that cannot be read was meant as one all the same.
    !matches!(disk::read(&account_dir.join(MARK), MAX_MARK), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

pub(crate) fn mark(account_dir: &Path, state: Revocation, noticed_ms: u64) -> std::io::Result<()> {
    let mark = Mark {
        version: MARK_VERSION,
        state,
        noticed_ms,
    };
    let bytes = serde_json::to_vec(&mark)?;
    disk::replace(&account_dir.join(MARK), &bytes)
}
