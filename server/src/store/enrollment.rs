//! Enrollment (§5.1, D27, D28): code, user, bundle and the news of it are one change.

use std::sync::Arc;

use connect_proto::bundle::{self, Bundle};
use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::sign::Purpose;
use connect_proto::{codec, wire};
use sqlx::Row as _;

use super::codes::{self, CodeState};
use super::writer::{Single, Tx};
use super::{UserNumber, directory, mailbox, signed, unsigned};
use crate::secret::RelaySecret;

/// An enrollment whose bundle was opened and whose request was signed by it.
#[derive(Debug)]
pub(crate) struct Enroll {
    pub(crate) code_hash: Digest,
    pub(crate) bundle: Bundle,
    pub(crate) signed: wire::SignedKeyBundle,
    pub(crate) profile: wire::Profile,
    pub(crate) replace: bool,
    pub(crate) now_ms: u64,
    /// Nobody is told of the change where there are more users than this.
    pub(crate) audience: u64,
    pub(crate) secret: Arc<RelaySecret>,
}

#[derive(Debug)]
pub(crate) enum Enrollment {
    Enrolled(wire::DirectoryEntry),
    /// The code is wrong, used, expired, or another user's.
    CodeRefused,
    AlreadyEnrolled,
    /// The bundle does not follow on the newest one: here is what it must follow on.
    WrongChain(wire::DirectoryEntry),
    WrongPreviousSignature,
}

/// The newest bundle of someone who has enrolled before.
struct Latest {
    user: UserNumber,
    revision: u64,
    digest: Digest,
    sign_key: SignPublicKey,
    active: bool,
}

impl Single for Enroll {
    type Outcome = Enrollment;

    async fn apply(&mut self, tx: &mut Tx) -> Result<Enrollment, sqlx::Error> {
        let user_id = &self.bundle.user_id;
        let latest = latest(tx, user_id).await?;
        let digest = bundle::digest(&self.signed);
        match codes::find(&mut tx.connection, &self.code_hash, user_id, self.now_ms).await? {
            None => return Ok(Enrollment::CodeRefused),
            // The answer was lost, and the client asks again.
            Some(CodeState::UsedFor(used_for)) => {
                let repeated =
                    used_for == digest && latest.is_some_and(|latest| latest.digest == digest);
                return if repeated {
                    self.enrolled(tx).await
                } else {
                    Ok(Enrollment::CodeRefused)
                };
            }
            Some(CodeState::Open) => {}
        }
        if let Some(refused) = self.check_against(tx, latest.as_ref()).await? {
            return Ok(refused);
        }
        codes::mark_used(&mut tx.connection, &self.code_hash, &digest, self.now_ms).await?;
        let user = self.put_user(tx).await?;
        if let Some(latest) = latest.filter(|latest| latest.active) {
            self.replace(tx, &latest).await?;
        }
        self.put_bundle(tx, user).await?;
        tx.rekeyed.push(self.bundle.user_id.clone());
        self.enrolled(tx).await
    }
}

impl Enroll {
    /// Whether the bundle may follow on what is there.
    async fn check_against(
        &self,
        tx: &mut Tx,
        latest: Option<&Latest>,
    ) -> Result<Option<Enrollment>, sqlx::Error> {
        let Some(latest) = latest else {
            let first = self.bundle.revision == 1;
            return Ok((!first).then(|| Enrollment::WrongChain(self.blank_entry())));
        };
        if latest.active && !self.replace {
            return Ok(Some(Enrollment::AlreadyEnrolled));
        }
        if self.bundle.revision != latest.revision + 1
            || self.bundle.previous_digest != Some(latest.digest)
        {
            return Ok(Some(Enrollment::WrongChain(self.entry(tx).await?)));
        }
        let countersigned = !self.signed.previous_signature.is_empty();
        let refused = countersigned
            && bundle::check_previous_signature(&self.signed, &latest.sign_key).is_err();
        Ok(refused.then_some(Enrollment::WrongPreviousSignature))
    }

    async fn enrolled(&self, tx: &mut Tx) -> Result<Enrollment, sqlx::Error> {
        Ok(Enrollment::Enrolled(self.entry(tx).await?))
    }

    async fn entry(&self, tx: &mut Tx) -> Result<wire::DirectoryEntry, sqlx::Error> {
        let user = std::slice::from_ref(&self.bundle.user_id);
        let entry = directory::entries(&mut tx.connection, user).await?.pop();
        Ok(entry.unwrap_or_else(|| self.blank_entry()))
    }

    fn blank_entry(&self) -> wire::DirectoryEntry {
        wire::DirectoryEntry {
            user_id: self.bundle.user_id.as_str().to_owned(),
            ..Default::default()
        }
    }

    /// A profile that an operator checked stays attested only while it stays the same (§10.5).
    async fn put_user(&self, tx: &mut Tx) -> Result<UserNumber, sqlx::Error> {
        let user: i64 = sqlx::query_scalar(
            "INSERT INTO users (user_id, display_name, profession, organisation) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (user_id) DO UPDATE SET display_name = ?2, profession = ?3, organisation = ?4, state = 0,
                 attested = attested AND display_name = ?2 AND profession = ?3 AND organisation = ?4
             RETURNING id",
        )
        .bind(self.bundle.user_id.as_str())
        .bind(&self.profile.display_name)
        .bind(&self.profile.profession)
        .bind(&self.profile.organisation)
        .fetch_one(&mut tx.connection)
        .await?;
        sqlx::query("INSERT OR IGNORE INTO mailboxes (user) VALUES (?)")
            .bind(user)
            .execute(&mut tx.connection)
            .await?;
        Ok(UserNumber(user))
    }

    async fn put_bundle(&self, tx: &mut Tx, user: UserNumber) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO bundles
             (user, revision, state, changed_ms, sign_key, bundle, signature, previous_signature)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(user.0)
        .bind(signed(self.bundle.revision))
        .bind(wire::KeyState::KeyActive as i32)
        .bind(signed(self.now_ms))
        .bind(self.bundle.sign_key.as_bytes().as_slice())
        .bind(self.signed.bundle.as_slice())
        .bind(self.signed.signature.as_slice())
        .bind(self.signed.previous_signature.as_slice())
        .execute(&mut tx.connection)
        .await?;
        Ok(())
    }

    /// The old installation ends here, and the others are told (§5.2).
    async fn replace(&self, tx: &mut Tx, old: &Latest) -> Result<(), sqlx::Error> {
        let state = wire::KeyState::KeyReplaced;
        let update_revision: i64 = sqlx::query_scalar(
            "UPDATE users SET update_revision = update_revision + 1 WHERE id = ? RETURNING update_revision",
        )
        .bind(old.user.0)
        .fetch_one(&mut tx.connection)
        .await?;
        sqlx::query("UPDATE bundles SET state = ?, changed_ms = ? WHERE user = ? AND revision = ?")
            .bind(state as i32)
            .bind(signed(self.now_ms))
            .bind(old.user.0)
            .bind(signed(old.revision))
            .execute(&mut tx.connection)
            .await?;
        let statement = wire::ContactUpdateStatement {
            user_id: self.bundle.user_id.as_str().to_owned(),
            revision: unsigned(update_revision),
            bundle_digest: old.digest.to_vec(),
            state: state.into(),
            effective_ms: self.now_ms,
        };
        self.announce(tx, old.user, &statement).await
    }

    /// One envelope of the relay's own, kept once, in every other mailbox.
    async fn announce(
        &self,
        tx: &mut Tx,
        about: UserNumber,
        statement: &wire::ContactUpdateStatement,
    ) -> Result<(), sqlx::Error> {
        let others: i64 =
            sqlx::query_scalar("SELECT count(*) FROM users WHERE state = 0 AND id <> ?")
                .bind(about.0)
                .fetch_one(&mut tx.connection)
                .await?;
        if others == 0 || unsigned(others) > self.audience {
            return Ok(());
        }
        let statement = codec::encode(statement);
        let message_id = self.secret.message_id(&[b"contact-update", &statement]);
        let envelope = codec::encode(&wire::Envelope {
            message_id: message_id.to_vec(),
            timestamp_ms: self.now_ms,
            contact_update: Some(wire::ContactUpdate {
                signature: self
                    .secret
                    .operations
                    .sign(Purpose::ContactUpdate, &statement)
                    .to_vec(),
                statement,
            }),
            ..Default::default()
        });
        let shared = mailbox::add_shared(tx, &envelope, unsigned(others)).await?;
        let size = signed(envelope.len() as u64);
        sqlx::query(
            "INSERT INTO mailbox (slot, message_id, arrived_ms, size, shared, envelope)
             SELECT (m.user << 40) | m.next_seq, ?, ?, ?, ?, x''
             FROM mailboxes m JOIN users u ON u.id = m.user WHERE u.state = 0 AND u.id <> ?",
        )
        .bind(message_id.as_bytes().as_slice())
        .bind(signed(self.now_ms))
        .bind(size)
        .bind(shared)
        .bind(about.0)
        .execute(&mut tx.connection)
        .await?;
        let told = sqlx::query(
            "UPDATE mailboxes SET next_seq = next_seq + 1, messages = messages + 1, bytes = bytes + ?
             WHERE user IN (SELECT id FROM users WHERE state = 0 AND id <> ?) RETURNING user",
        )
        .bind(size)
        .bind(about.0)
        .fetch_all(&mut tx.connection)
        .await?;
        for row in told {
            tx.woken.push(UserNumber(row.try_get(0)?));
        }
        Ok(())
    }
}

async fn latest(tx: &mut Tx, user: &UserId) -> Result<Option<Latest>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT b.user, b.revision, b.state, b.sign_key, b.bundle FROM users u JOIN bundles b ON b.user = u.id
         WHERE u.user_id = ? ORDER BY b.revision DESC LIMIT 1",
    )
    .bind(user.as_str())
    .fetch_optional(&mut tx.connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let sign_key: &[u8] = row.try_get(3)?;
    let sign_key = sign_key
        .try_into()
        .map_err(|_| sqlx::Error::Decode("a sign key is not 32 bytes long".into()))?;
    Ok(Some(Latest {
        user: UserNumber(row.try_get(0)?),
        revision: unsigned(row.try_get(1)?),
        active: row.try_get::<i32, _>(2)? == wire::KeyState::KeyActive as i32,
        sign_key: SignPublicKey::from_trusted(sign_key),
        digest: connect_proto::hash::sha256(row.try_get(4)?),
    }))
}
