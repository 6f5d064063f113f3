//! Unlocking without anyone, for servers: off unless configured, and shown in health.

use std::path::PathBuf;
use std::sync::Arc;

use connect_service::error::Error;
use connect_service::session::{Phase, Session};
use connect_vault::disk;

use crate::config::PinPlace;
use crate::pin_file;

/// Where to read. `None` for a credential that no unit gives: better told before the daemon answers than by a server that stays locked.
pub(crate) fn settle(place: &PinPlace) -> Option<PathBuf> {
    match place {
        PinPlace::Credential { name, directory } => Some(directory.as_ref()?.join(name)),
        // Not asked of a credential: systemd may give the unit's user an access list, which shows as the group's rights.
        PinPlace::File(path) => {
            if disk::is_exposed(path).unwrap_or(false) {
                tracing::warn!("others can read what session.unattended_pin names: chmod 600 it");
            }
            Some(path.clone())
        }
    }
}

/// Once, when the daemon starts: what does not open the keys now will not do so by being tried again, and counts.
pub(crate) async fn unlock(session: Arc<Session>, path: PathBuf) {
    if !matches!(session.phase(), Phase::Locked) {
        return;
    }
    let pin = match pin_file::read(&path) {
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
