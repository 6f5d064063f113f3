//! The chain of a user's key bundles (§5.3): what is there, what is added, and how one ends.

use connect_proto::bundle::Bundle;
use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::{codec, wire};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::news::News;
use super::writer::Tx;
use super::{Account, UserNumber, signed, unsigned};

/// A published bundle, as the next one must follow on it.
pub(crate) struct Link {
    pub(crate) user: UserNumber,
    pub(crate) account: Account,
    pub(crate) revision: u64,
    pub(crate) state: wire::KeyState,
    pub(super) digest: Digest,
    pub(super) installation_id: Vec<u8>,
    pub(super) sign_key: SignPublicKey,
}

impl Link {
    pub(super) fn is_active(&self) -> bool {
        self.account == Account::Active && self.state == wire::KeyState::KeyActive
    }

    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let bytes: &[u8] = row.try_get(5)?;
        let bundle: wire::KeyBundle =
            codec::decode(bytes).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self {
            user: UserNumber(row.try_get(0)?),
            account: Account::from_number(row.try_get(1)?),
            revision: unsigned(row.try_get(2)?),
            state: key_state(row.try_get(3)?),
            sign_key: sign_key(row.try_get(4)?)?,
            digest: sha256(bytes),
            installation_id: bundle.installation_id,
        })
    }
}

/// The newest bundle of someone who has enrolled before, deleted or not.
pub(crate) async fn latest(tx: &mut Tx, user: &UserId) -> Result<Option<Link>, sqlx::Error> {
    find(tx, user, None).await
}

/// The newest bundle, or the one with this revision.
pub(crate) async fn find(
    tx: &mut Tx,
    user: &UserId,
    revision: Option<u64>,
) -> Result<Option<Link>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT b.user, u.state, b.revision, b.state, b.sign_key, b.bundle
         FROM users u JOIN bundles b ON b.user = u.id
         WHERE u.user_id = ?1 AND (?2 IS NULL OR b.revision = ?2) ORDER BY b.revision DESC LIMIT 1",
    )
    .bind(user.as_str())
    .bind(revision.map(signed))
    .fetch_optional(&mut tx.connection)
    .await?;
    row.as_ref().map(Link::read).transpose()
}

/// Whether this user ever published the key: one that ended must not come back.
pub(super) async fn was_used(
    tx: &mut Tx,
    user: UserNumber,
    key: &SignPublicKey,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM bundles WHERE user = ? AND sign_key = ?)")
        .bind(user.0)
        .bind(key.as_bytes().as_slice())
        .fetch_one(&mut tx.connection)
        .await
}

pub(super) async fn add(
    tx: &mut Tx,
    user: UserNumber,
    bundle: &Bundle,
    published: &wire::SignedKeyBundle,
    now_ms: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO bundles
         (user, revision, state, changed_ms, sign_key, bundle, signature, previous_signature)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(user.0)
    .bind(signed(bundle.revision))
    .bind(wire::KeyState::KeyActive as i32)
    .bind(signed(now_ms))
    .bind(bundle.sign_key.as_bytes().as_slice())
    .bind(published.bundle.as_slice())
    .bind(published.signature.as_slice())
    .bind(published.previous_signature.as_slice())
    .execute(&mut tx.connection)
    .await?;
    Ok(())
}

/// The bundle is active no more, and the others are told (§5.2). Whoever waits with its key is woken to be told too.
pub(super) async fn end(
    tx: &mut Tx,
    user_id: &UserId,
    link: &Link,
    state: wire::KeyState,
    entry: Option<u64>,
    news: &News,
) -> Result<(), sqlx::Error> {
    let told: i64 = sqlx::query_scalar(
        "UPDATE users SET update_revision = update_revision + 1 WHERE id = ? RETURNING update_revision",
    )
    .bind(link.user.0)
    .fetch_one(&mut tx.connection)
    .await?;
    sqlx::query(
        "UPDATE bundles SET state = ?, changed_ms = ?, told_revision = ?, ended_by_entry = ?
         WHERE user = ? AND revision = ?",
    )
    .bind(state as i32)
    .bind(signed(news.now_ms))
    .bind(told)
    .bind(entry.map(signed))
    .bind(link.user.0)
    .bind(signed(link.revision))
    .execute(&mut tx.connection)
    .await?;
    tx.rekeyed.push(user_id.clone());
    tx.woken.push(link.user);
    let statement = wire::ContactUpdateStatement {
        user_id: user_id.as_str().to_owned(),
        revision: unsigned(told),
        bundle_digest: link.digest.to_vec(),
        state: state.into(),
        effective_ms: news.now_ms,
    };
    news.tell(tx, link.user, &statement).await
}

pub(super) fn sign_key(bytes: &[u8]) -> Result<SignPublicKey, sqlx::Error> {
    let bytes = bytes
        .try_into()
        .map_err(|_| sqlx::Error::Decode("a sign key is not 32 bytes long".into()))?;
    Ok(SignPublicKey::from_trusted(bytes))
}

/// What an unknown number would mean is not active.
pub(super) fn key_state(number: i32) -> wire::KeyState {
    wire::KeyState::try_from(number).unwrap_or(wire::KeyState::KeyRevoked)
}
