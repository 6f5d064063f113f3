//! What can be done while no daemon runs: checking the audit log.

use connect_api::audit::Verdict;
use connect_service::chance::Chance;
use connect_service::clock::Clock;
use connect_service::error::Error;
use connect_service::session::{self, Locking, Session};
use connect_vault::vault::KdfCost;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::instance::{Instance, InstanceError};
use crate::rpc::audit::verdict;

#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error(transparent)]
    Instance(#[from] InstanceError),
    #[error(transparent)]
    Service(#[from] Error),
}

/// Reads the whole audit log. A wrong PIN counts as an attempt, as it does for the daemon.
pub async fn verify_audit(
    config: Config,
    kdf_cost: KdfCost,
    pin: Zeroizing<String>,
) -> Result<Verdict, OfflineError> {
    let instance = Instance::take(&config.state_dir)?;
    let config = session::Config {
        state_dir: config.state_dir,
        locking: Locking::default(),
        keystore: config.keystore,
        kdf_cost,
    };
    let session = Session::new(config, Clock::system(), Chance::system());
    let found = session.verify_audit(pin).await?;
    drop(instance);
    Ok(verdict(found))
}
