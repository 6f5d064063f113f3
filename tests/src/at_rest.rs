//! What a daemon that is stopped has left on its disk.

use std::path::Path;

use anyhow::Result;
use connect_core::secret::DatabaseKey;
use connect_store::database::Store;
use connect_vault::attempts::host_boot_time;
use connect_vault::keys::Keys;
use connect_vault::keystore::Keystore;
use connect_vault::vault::{KdfCost, Vault};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

const DATABASE: &str = "account/messages.db";

/// What every story enrolls with.
pub const PIN: &str = "canary-pin-29571";

/// The keys in a state directory whose daemon is stopped.
pub fn keys(state_dir: &Path) -> Result<Keys> {
    let account = state_dir.join("account");
    let vault = Vault::new(&account, keystore(state_dir), KdfCost::for_tests());
    Ok(vault.unlock(PIN, &host_boot_time()?)?)
}

/// Its database.
pub async fn database(state_dir: &Path) -> Result<Store> {
    let key = DatabaseKey::from_bytes(keys(state_dir)?.database_key.expose());
    Ok(Store::open(&state_dir.join(DATABASE), key).await?)
}

/// Its database, for statements that the daemon does not have.
pub async fn sql(state_dir: &Path) -> Result<SqliteConnection> {
    let key = hex::encode(keys(state_dir)?.database_key.expose());
    let options = SqliteConnectOptions::new()
        .filename(state_dir.join(DATABASE))
        .pragma("key", format!("\"x'{key}'\""))
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// Where a daemon without a configuration has it.
pub(crate) fn keystore(state_dir: &Path) -> Keystore {
    Keystore::File {
        directory: state_dir.join("keystore"),
    }
}
