//! Unlocking without anyone, for servers: off unless configured, and shown in health.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connect_service::error::Error;
use connect_service::session::{Phase, Session};
use connect_vault::disk;
use zeroize::Zeroizing;

/// Longer than any passphrase.
const LONGEST: u64 = 4096;

/// Once, when the daemon starts: what does not open the keys now will not do so by being tried again, and counts.
pub(crate) async fn unlock(session: Arc<Session>, path: PathBuf) {
    if !matches!(session.phase(), Phase::Locked) {
        return;
    }
    let pin = match read(&path) {
        Ok(pin) => pin,
        Err(error) => {
            tracing::error!(%error, "session.unattended_pin cannot be read: somebody has to unlock");
            return;
        }
    };
    match session.unlock(pin).await {
        Ok(()) => tracing::info!("unlocked without anyone, as session.unattended_pin says"),
        Err(Error::WrongPin { attempts_left, .. }) => {
            tracing::error!(
                attempts_left,
                "what session.unattended_pin names does not open the keys, or has to wait"
            );
        }
        Err(error) => tracing::error!(%error, "not unlocked: somebody has to"),
    }
}

/// Not of a credential: systemd may give the unit's user an access list, which shows as the group's rights.
pub(crate) fn warn_if_exposed(path: &Path) {
    if disk::is_exposed(path).unwrap_or(false) {
        tracing::warn!("others can read what session.unattended_pin names: chmod 600 it");
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let bytes = disk::read(path, LONGEST)?.ok_or(io::ErrorKind::FileTooLarge)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    let text = text.trim_end_matches(['\r', '\n']);
    Ok(Zeroizing::new(text.to_owned()))
}
