//! What a daemon that is stopped has left on its disk.

use std::path::Path;

use anyhow::Result;
use connect_core::secret::DatabaseKey;
use connect_store::database::Store;
use connect_vault::attempts::host_boot_time;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, Vault};

/// What every story enrolls with.
pub const PIN: &str = "29571";

/// The database in a state directory whose daemon is stopped.
pub async fn database(state_dir: &Path) -> Result<Store> {
    let account = state_dir.join("account");
    let vault = Vault::new(&account, keystore(state_dir), KdfCost::for_tests());
    let keys = vault.unlock(PIN, &host_boot_time()?)?;
    let key = DatabaseKey::from_bytes(keys.database_key.expose());
    Ok(Store::open(&account.join("messages.db"), key).await?)
}

/// Where a daemon without a configuration has it.
pub(crate) fn keystore(state_dir: &Path) -> Keystore {
    Keystore::File {
        directory: state_dir.join("keystore"),
    }
}
