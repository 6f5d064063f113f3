//! The people that the account knows, with their keys old and new.

use connect_core::fingerprint::Fingerprint;
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use crate::codes::{KeyState, Trust};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, optional_text, parsed, text, uint};

#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    pub user_id: UserId,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    pub attested: bool,
    pub trust: Trust,
    /// Of the newest contact update that was followed (D10).
    pub update_revision: u64,
    pub added_ms: u64,
    /// Newest first.
    pub keys: Vec<ContactKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactKey {
    pub revision: u64,
    pub box_key: BoxPublicKey,
    pub sign_key: SignPublicKey,
    /// Of the bundle that published the key.
    pub digest: Digest,
    pub state: KeyState,
    pub changed_ms: u64,
    /// The digits of the key and its user (D26), which take 2 ms to compute: kept from when the key was first stored.
    pub fingerprint: Option<String>,
}

impl Contact {
    pub fn active_key(&self) -> Option<&ContactKey> {
        self.keys.iter().find(|key| key.state == KeyState::Active)
    }
}

impl ContactKey {
    pub fn compute_fingerprint(&self, user_id: &UserId) -> String {
        Fingerprint::of(&self.box_key, &self.sign_key, user_id).to_string()
    }
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(..)")
    }
}

/// Adds the contact, or replaces what is known of it. Keys are added or change their state; none is removed.
pub async fn put(tx: &mut Tx, contact: &Contact) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO contacts (user_id, display_name, profession, organisation, attested, trust, update_revision,
             added_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (user_id) DO UPDATE SET display_name = excluded.display_name,
             profession = excluded.profession, organisation = excluded.organisation,
             attested = excluded.attested, trust = excluded.trust, update_revision = excluded.update_revision",
    )
    .bind(contact.user_id.as_str())
    .bind(&contact.display_name)
    .bind(&contact.profession)
    .bind(&contact.organisation)
    .bind(contact.attested)
    .bind(contact.trust.word())
    .bind(int(contact.update_revision))
    .bind(int(contact.added_ms))
    .execute(tx.connection())
    .await?;
    for key in &contact.keys {
        let digits = key
            .fingerprint
            .clone()
            .unwrap_or_else(|| key.compute_fingerprint(&contact.user_id));
        sqlx::query(
            "INSERT INTO contact_keys (user_id, revision, box_key, sign_key, digest, state, changed_ms, fingerprint)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (user_id, revision) DO UPDATE SET state = excluded.state, changed_ms = excluded.changed_ms,
                 fingerprint = excluded.fingerprint",
        )
        .bind(contact.user_id.as_str())
        .bind(int(key.revision))
        .bind(key.box_key.as_bytes().as_slice())
        .bind(key.sign_key.as_bytes().as_slice())
        .bind(key.digest.as_slice())
        .bind(key.state.word())
        .bind(int(key.changed_ms))
        .bind(digits)
        .execute(tx.connection())
        .await?;
    }
    Ok(())
}

pub async fn find(store: &Store, user_id: &UserId) -> Result<Option<Contact>, StoreError> {
    find_with(store.reader(), user_id).await
}

/// As it is within the transaction.
pub async fn find_in(tx: &mut Tx, user_id: &UserId) -> Result<Option<Contact>, StoreError> {
    find_with(tx.connection(), user_id).await
}

/// One query for the contact and its keys: every message asks for them.
async fn find_with(
    executor: impl SqliteExecutor<'_>,
    user_id: &UserId,
) -> Result<Option<Contact>, StoreError> {
    let rows = sqlx::query(
        "SELECT c.*, k.revision, k.box_key, k.sign_key, k.digest, k.state, k.changed_ms, k.fingerprint
         FROM contacts c LEFT JOIN contact_keys k ON k.user_id = c.user_id
         WHERE c.user_id = ? ORDER BY k.revision DESC",
    )
    .bind(user_id.as_str())
    .fetch_all(executor)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut contact = read(first)?;
    for row in &rows {
        if row.try_get::<Option<i64>, _>("revision")?.is_some() {
            contact.keys.push(read_key(row)?);
        }
    }
    Ok(Some(contact))
}

/// By user id, those after `after`; one query for the contacts and one for their keys.
pub async fn list(
    store: &Store,
    after: Option<&UserId>,
    limit: u32,
) -> Result<Vec<Contact>, StoreError> {
    let after = after.map_or("", UserId::as_str);
    let rows = sqlx::query("SELECT * FROM contacts WHERE user_id > ? ORDER BY user_id LIMIT ?")
        .bind(after)
        .bind(limit)
        .fetch_all(store.reader())
        .await?;
    let mut contacts: Vec<Contact> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let Some(last) = contacts.last().map(|contact| contact.user_id.clone()) else {
        return Ok(contacts);
    };
    let keys = sqlx::query(
        "SELECT * FROM contact_keys WHERE user_id > ? AND user_id <= ? ORDER BY user_id, revision DESC",
    )
    .bind(after)
    .bind(last.as_str())
    .fetch_all(store.reader())
    .await?;
    for row in &keys {
        let user_id: UserId = parsed(row, "user_id")?;
        if let Ok(place) = contacts.binary_search_by(|contact| contact.user_id.cmp(&user_id)) {
            contacts[place].keys.push(read_key(row)?);
        }
    }
    Ok(contacts)
}

fn read(row: &SqliteRow) -> Result<Contact, StoreError> {
    Ok(Contact {
        user_id: parsed(row, "user_id")?,
        display_name: text(row, "display_name")?.to_owned(),
        profession: text(row, "profession")?.to_owned(),
        organisation: text(row, "organisation")?.to_owned(),
        attested: row.try_get("attested")?,
        trust: Trust::read(text(row, "trust")?)?,
        update_revision: uint(row, "update_revision")?,
        added_ms: uint(row, "added_ms")?,
        keys: Vec::new(),
    })
}

fn read_key(row: &SqliteRow) -> Result<ContactKey, StoreError> {
    Ok(ContactKey {
        revision: uint(row, "revision")?,
        box_key: BoxPublicKey::from_trusted(bytes(row, "box_key")?),
        sign_key: SignPublicKey::from_trusted(bytes(row, "sign_key")?),
        digest: bytes(row, "digest")?,
        state: KeyState::read(text(row, "state")?)?,
        changed_ms: uint(row, "changed_ms")?,
        fingerprint: optional_text(row, "fingerprint")?.map(str::to_owned),
    })
}
