//! The daemon's own user.

use connect_proto::ids::{InstallationId, UserId};
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, optional_text, parsed, text, uint};

#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    pub user_id: UserId,
    pub installation_id: InstallationId,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    pub attested: bool,
    pub box_key: BoxPublicKey,
    pub sign_key: SignPublicKey,
    /// Of the bundle that this installation enrolled with: others before it were another installation's.
    pub bundle_revision: u64,
    pub relay_url: String,
    pub relay_pins: Vec<String>,
    pub relay_ca_pem: Option<String>,
    /// Signs the relay's contact updates (D10).
    pub operations_key: SignPublicKey,
    pub enrolled_ms: u64,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account(..)")
    }
}

/// Writes the account, over one that an enrollment which was cut off has left.
pub async fn put(tx: &mut Tx, account: &Account) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT OR REPLACE INTO account (one, user_id, installation_id, display_name, profession, organisation, attested,
             box_key, sign_key, bundle_revision, relay_url, relay_ca_pem, operations_key, enrolled_ms)
         VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(account.user_id.as_str())
    .bind(account.installation_id.as_bytes().as_slice())
    .bind(&account.display_name)
    .bind(&account.profession)
    .bind(&account.organisation)
    .bind(account.attested)
    .bind(account.box_key.as_bytes().as_slice())
    .bind(account.sign_key.as_bytes().as_slice())
    .bind(int(account.bundle_revision))
    .bind(&account.relay_url)
    .bind(&account.relay_ca_pem)
    .bind(account.operations_key.as_bytes().as_slice())
    .bind(int(account.enrolled_ms))
    .execute(tx.connection())
    .await?;
    sqlx::query("DELETE FROM relay_pins")
        .execute(tx.connection())
        .await?;
    for pin in &account.relay_pins {
        sqlx::query("INSERT OR IGNORE INTO relay_pins (pin) VALUES (?)")
            .bind(pin)
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

/// The account; a database without one was left by an enrollment that did not finish.
pub async fn find(store: &Store) -> Result<Option<Account>, StoreError> {
    let Some(row) = sqlx::query("SELECT * FROM account")
        .fetch_optional(store.reader())
        .await?
    else {
        return Ok(None);
    };
    let pins = sqlx::query("SELECT pin FROM relay_pins ORDER BY pin")
        .fetch_all(store.reader())
        .await?;
    let pins: Result<Vec<String>, sqlx::Error> = pins.iter().map(|row| row.try_get(0)).collect();
    read(&row, pins?).map(Some)
}

fn read(row: &SqliteRow, relay_pins: Vec<String>) -> Result<Account, StoreError> {
    Ok(Account {
        user_id: parsed(row, "user_id")?,
        installation_id: InstallationId::from_bytes(bytes(row, "installation_id")?),
        display_name: text(row, "display_name")?.to_owned(),
        profession: text(row, "profession")?.to_owned(),
        organisation: text(row, "organisation")?.to_owned(),
        attested: row.try_get("attested")?,
        box_key: BoxPublicKey::from_trusted(bytes(row, "box_key")?),
        sign_key: SignPublicKey::from_trusted(bytes(row, "sign_key")?),
        bundle_revision: uint(row, "bundle_revision")?,
        relay_url: text(row, "relay_url")?.to_owned(),
        relay_pins,
        relay_ca_pem: optional_text(row, "relay_ca_pem")?.map(str::to_owned),
        operations_key: SignPublicKey::from_trusted(bytes(row, "operations_key")?),
        enrolled_ms: uint(row, "enrolled_ms")?,
    })
}
