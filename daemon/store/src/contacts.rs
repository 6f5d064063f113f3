//! The people that the account knows, with their keys old and new.

use std::collections::BTreeMap;

use connect_core::fingerprint::Fingerprint;
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::keys::{BoxPublicKey, SignPublicKey};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteExecutor};

use crate::codes::{Contradiction, KeyDecision, KeyState, Trust};
use crate::database::{Store, Tx};
use crate::error::StoreError;
use crate::row::{bytes, int, optional_bytes, optional_text, optional_uint, parsed, text, uint};

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
    /// Taken off the list; `set_removed` alone changes it.
    pub removed: bool,
    /// Nothing of theirs is taken in; `set_blocked` alone changes it.
    pub blocked: bool,
    /// The directory contradicts what is known, since then.
    pub contradiction: Option<(Contradiction, u64)>,
    /// What a signed update said of a bundle that the directory has not shown yet.
    pub stated: Option<Stated>,
    /// Newest first.
    pub keys: Vec<ContactKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    pub digest: Digest,
    pub state: KeyState,
    pub at_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub what: KeyDecision,
    pub at_ms: u64,
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
    /// The key before signed for this one.
    pub countersigned: bool,
    pub decision: Option<Decision>,
    /// The digits of the key and its user (D26), which take 2 ms to compute: kept from when the key was first stored.
    pub fingerprint: Option<String>,
}

impl Contact {
    pub fn active_key(&self) -> Option<&ContactKey> {
        self.keys.iter().find(|key| key.state == KeyState::Active)
    }
}

impl ContactKey {
    pub fn decided(&self) -> Option<KeyDecision> {
        self.decision.map(|decision| decision.what)
    }

    pub fn compute_fingerprint(&self, user_id: &UserId) -> String {
        Fingerprint::of(&self.box_key, &self.sign_key, user_id).to_string()
    }
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(..)")
    }
}

/// Adds the contact, or replaces what is known of it, which is `before`. Keys are added or change their state; none is
/// removed.
pub async fn put(
    tx: &mut Tx,
    before: Option<&Contact>,
    contact: &Contact,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO contacts (user_id, display_name, profession, organisation, attested, trust, update_revision,
             added_ms, contradiction, contradicted_ms, stated_digest, stated_state, stated_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (user_id) DO UPDATE SET display_name = excluded.display_name,
             profession = excluded.profession, organisation = excluded.organisation,
             attested = excluded.attested, trust = excluded.trust, update_revision = excluded.update_revision,
             contradiction = excluded.contradiction, contradicted_ms = excluded.contradicted_ms,
             stated_digest = excluded.stated_digest, stated_state = excluded.stated_state,
             stated_ms = excluded.stated_ms",
    )
    .bind(contact.user_id.as_str())
    .bind(&contact.display_name)
    .bind(&contact.profession)
    .bind(&contact.organisation)
    .bind(contact.attested)
    .bind(contact.trust.word())
    .bind(int(contact.update_revision))
    .bind(int(contact.added_ms))
    .bind(contact.contradiction.map(|(how, _)| how.word()))
    .bind(contact.contradiction.map(|(_, since_ms)| int(since_ms)))
    .bind(contact.stated.map(|stated| stated.digest.to_vec()))
    .bind(contact.stated.map(|stated| stated.state.word()))
    .bind(contact.stated.map(|stated| int(stated.at_ms)))
    .execute(tx.connection())
    .await?;
    let is_stored = |key| before.is_some_and(|before| before.keys.contains(key));
    for key in contact.keys.iter().filter(|key| !is_stored(key)) {
        put_key(tx, &contact.user_id, key).await?;
    }
    Ok(())
}

/// Takes a contact off the list, or puts it back there.
pub async fn set_removed(tx: &mut Tx, user_id: &UserId, removed: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE contacts SET removed = ? WHERE user_id = ?")
        .bind(removed)
        .bind(user_id.as_str())
        .execute(tx.connection())
        .await?;
    Ok(())
}

pub async fn set_blocked(tx: &mut Tx, user_id: &UserId, blocked: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE contacts SET blocked = ? WHERE user_id = ?")
        .bind(blocked)
        .bind(user_id.as_str())
        .execute(tx.connection())
        .await?;
    Ok(())
}

async fn put_key(tx: &mut Tx, user_id: &UserId, key: &ContactKey) -> Result<(), StoreError> {
    let digits = key
        .fingerprint
        .clone()
        .unwrap_or_else(|| key.compute_fingerprint(user_id));
    sqlx::query(
        "INSERT INTO contact_keys (user_id, revision, box_key, sign_key, digest, state, changed_ms, fingerprint,
             countersigned, decision, decided_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (user_id, revision) DO UPDATE SET state = excluded.state, changed_ms = excluded.changed_ms,
             fingerprint = excluded.fingerprint, countersigned = excluded.countersigned,
             decision = excluded.decision, decided_ms = excluded.decided_ms",
    )
    .bind(user_id.as_str())
    .bind(int(key.revision))
    .bind(key.box_key.as_bytes().as_slice())
    .bind(key.sign_key.as_bytes().as_slice())
    .bind(key.digest.as_slice())
    .bind(key.state.word())
    .bind(int(key.changed_ms))
    .bind(digits)
    .bind(key.countersigned)
    .bind(key.decision.map(|decision| decision.what.word()))
    .bind(key.decision.map(|decision| int(decision.at_ms)))
    .execute(tx.connection())
    .await?;
    Ok(())
}

pub async fn find(store: &Store, user_id: &UserId) -> Result<Option<Contact>, StoreError> {
    find_with(store.reader(), user_id).await
}

/// As it is within the transaction.
pub async fn find_in(tx: &mut Tx, user_id: &UserId) -> Result<Option<Contact>, StoreError> {
    find_with(tx.connection(), user_id).await
}

/// One query for all of them: a page of messages or of the directory asks for many.
pub async fn find_many(
    store: &Store,
    user_ids: &[UserId],
) -> Result<BTreeMap<UserId, Contact>, StoreError> {
    find_many_with(store.reader(), user_ids).await
}

/// As they are within the transaction.
pub async fn find_many_in(
    tx: &mut Tx,
    user_ids: &[UserId],
) -> Result<BTreeMap<UserId, Contact>, StoreError> {
    find_many_with(tx.connection(), user_ids).await
}

async fn find_with(
    executor: impl SqliteExecutor<'_>,
    user_id: &UserId,
) -> Result<Option<Contact>, StoreError> {
    let found = find_many_with(executor, std::slice::from_ref(user_id)).await?;
    Ok(found.into_values().next())
}

async fn find_many_with(
    executor: impl SqliteExecutor<'_>,
    user_ids: &[UserId],
) -> Result<BTreeMap<UserId, Contact>, StoreError> {
    // What a user id may consist of needs no escapes.
    let asked: Vec<&str> = user_ids.iter().map(UserId::as_str).collect();
    let rows = sqlx::query(
        "SELECT c.*, k.revision, k.box_key, k.sign_key, k.digest, k.state, k.changed_ms, k.fingerprint,
             k.countersigned, k.decision, k.decided_ms
         FROM json_each(?) j JOIN contacts c ON c.user_id = j.value
             LEFT JOIN contact_keys k ON k.user_id = c.user_id
         ORDER BY c.user_id, k.revision DESC",
    )
    .bind(format!("{asked:?}"))
    .fetch_all(executor)
    .await?;
    let mut contacts: BTreeMap<UserId, Contact> = BTreeMap::new();
    for row in &rows {
        let user_id: UserId = parsed(row, "user_id")?;
        if !contacts.contains_key(&user_id) {
            contacts.insert(user_id.clone(), read(row)?);
        }
        let contact = contacts.get_mut(&user_id);
        if let Some(contact) = contact
            && row.try_get::<Option<i64>, _>("revision")?.is_some()
        {
            contact.keys.push(read_key(row)?);
        }
    }
    // A user who was asked for twice has the keys once.
    for contact in contacts.values_mut() {
        contact.keys.dedup_by_key(|key| key.revision);
    }
    Ok(contacts)
}

/// Which contacts a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those whose key waits for a decision, or was decided against.
    Undecided,
}

/// The ids of all that are on the list or wrote to us, those after `after`.
pub async fn ids(
    store: &Store,
    after: Option<&UserId>,
    limit: u32,
) -> Result<Vec<UserId>, StoreError> {
    let rows =
        sqlx::query("SELECT user_id FROM contacts WHERE user_id > ? ORDER BY user_id LIMIT ?")
            .bind(after.map_or("", UserId::as_str))
            .bind(limit)
            .fetch_all(store.reader())
            .await?;
    rows.iter().map(|row| parsed(row, "user_id")).collect()
}

/// By user id, those after `after`; one query for the ids and one for the rest.
pub async fn list(
    store: &Store,
    which: Which,
    after: Option<&UserId>,
    limit: u32,
) -> Result<Vec<Contact>, StoreError> {
    let rows = sqlx::query(match which {
        Which::All => {
            "SELECT user_id FROM contacts WHERE user_id > ? AND NOT removed ORDER BY user_id LIMIT ?"
        }
        Which::Undecided => {
            "SELECT user_id FROM contacts WHERE trust = 'changed' AND user_id > ? AND NOT removed
             ORDER BY user_id LIMIT ?"
        }
    })
    .bind(after.map_or("", UserId::as_str))
    .bind(limit)
    .fetch_all(store.reader())
    .await?;
    let user_ids: Vec<UserId> = rows
        .iter()
        .map(|row| parsed(row, "user_id"))
        .collect::<Result<_, _>>()?;
    let found = find_many(store, &user_ids).await?;
    Ok(found.into_values().collect())
}

/// How many wait for a decision about their key, and of how many the directory contradicts what is known.
pub async fn count_notable(tx: &mut Tx) -> Result<(u64, u64), StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM contacts WHERE trust = 'changed') AS undecided,
             (SELECT count(*) FROM contacts WHERE contradiction IS NOT NULL) AS contradicted",
    )
    .fetch_one(tx.connection())
    .await?;
    Ok((uint(&row, "undecided")?, uint(&row, "contradicted")?))
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
        removed: row.try_get("removed")?,
        blocked: row.try_get("blocked")?,
        contradiction: optional_text(row, "contradiction")?
            .map(Contradiction::read)
            .transpose()?
            .zip(optional_uint(row, "contradicted_ms")?),
        stated: read_stated(row)?,
        keys: Vec::new(),
    })
}

fn read_stated(row: &SqliteRow) -> Result<Option<Stated>, StoreError> {
    let state = optional_text(row, "stated_state")?
        .map(KeyState::read)
        .transpose()?;
    let (Some(digest), Some(state)) = (optional_bytes(row, "stated_digest")?, state) else {
        return Ok(None);
    };
    let at_ms = optional_uint(row, "stated_ms")?.unwrap_or(0);
    Ok(Some(Stated {
        digest,
        state,
        at_ms,
    }))
}

fn read_key(row: &SqliteRow) -> Result<ContactKey, StoreError> {
    Ok(ContactKey {
        revision: uint(row, "revision")?,
        box_key: BoxPublicKey::from_trusted(bytes(row, "box_key")?),
        sign_key: SignPublicKey::from_trusted(bytes(row, "sign_key")?),
        digest: bytes(row, "digest")?,
        state: KeyState::read(text(row, "state")?)?,
        changed_ms: uint(row, "changed_ms")?,
        countersigned: row.try_get("countersigned")?,
        decision: optional_text(row, "decision")?
            .map(KeyDecision::read)
            .transpose()?
            .zip(optional_uint(row, "decided_ms")?)
            .map(|(what, at_ms)| Decision { what, at_ms }),
        fingerprint: optional_text(row, "fingerprint")?.map(str::to_owned),
    })
}
