//! Enrollment (§5.1, D27, D28): code, user, bundle and the news of it are one change.

use connect_proto::bundle::{self, Bundle};
use connect_proto::hash::Digest;
use connect_proto::wire;

use super::chain::{self, Link};
use super::codes::{self, CodeState};
use super::news::News;
use super::writer::{Single, Tx};
use super::{Account, UserNumber, deletion, directory};

/// An enrollment whose bundle was opened and whose request was signed by it.
#[derive(Debug)]
pub(crate) struct Enroll {
    pub(crate) code_hash: Digest,
    pub(crate) bundle: Bundle,
    pub(crate) signed: wire::SignedKeyBundle,
    pub(crate) profile: wire::Profile,
    pub(crate) replace: bool,
    pub(crate) news: News,
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
    /// The Sign Key was this user's before.
    KeyUsedBefore,
}

impl Single for Enroll {
    type Outcome = Enrollment;

    async fn apply(&mut self, tx: &mut Tx) -> Result<Enrollment, sqlx::Error> {
        let user_id = &self.bundle.user_id;
        let latest = chain::latest(tx, user_id).await?;
        let digest = bundle::digest(&self.signed);
        let now_ms = self.news.now_ms;
        match codes::find(&mut tx.connection, &self.code_hash, user_id, now_ms).await? {
            None => return Ok(Enrollment::CodeRefused),
            // The answer was lost, and the client asks again.
            Some(CodeState::UsedFor(used_for)) => {
                let repeated = used_for == digest
                    && latest.is_some_and(|latest| latest.digest == digest && latest.is_active());
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
        codes::mark_used(&mut tx.connection, &self.code_hash, &digest, now_ms).await?;
        if let Some(latest) = latest {
            self.follow(tx, &latest).await?;
        }
        let user = self.put_user(tx).await?;
        chain::add(tx, user, &self.bundle, &self.signed, now_ms).await?;
        tx.rekeyed.push(self.bundle.user_id.clone());
        self.enrolled(tx).await
    }
}

impl Enroll {
    /// Whether the bundle may follow on what is there.
    async fn check_against(
        &self,
        tx: &mut Tx,
        latest: Option<&Link>,
    ) -> Result<Option<Enrollment>, sqlx::Error> {
        let Some(latest) = latest else {
            let first = self.bundle.revision == 1;
            return Ok((!first).then(|| Enrollment::WrongChain(self.blank_entry())));
        };
        if latest.is_active() && !self.replace {
            return Ok(Some(Enrollment::AlreadyEnrolled));
        }
        if self.bundle.revision != latest.revision + 1
            || self.bundle.previous_digest != Some(latest.digest)
        {
            return Ok(Some(Enrollment::WrongChain(self.entry(tx).await?)));
        }
        if chain::was_used(tx, latest.user, &self.bundle.sign_key).await? {
            return Ok(Some(Enrollment::KeyUsedBefore));
        }
        let countersigned = !self.signed.previous_signature.is_empty();
        let refused = countersigned
            && bundle::check_previous_signature(&self.signed, &latest.sign_key).is_err();
        Ok(refused.then_some(Enrollment::WrongPreviousSignature))
    }

    /// The old installation ends here. What waited for an account that was deleted is not the new one's to read.
    async fn follow(&self, tx: &mut Tx, latest: &Link) -> Result<(), sqlx::Error> {
        if latest.is_active() {
            let state = wire::KeyState::KeyReplaced;
            chain::end(tx, &self.bundle.user_id, latest, state, None, &self.news).await?;
        }
        if latest.account == Account::Deleted {
            deletion::empty_mailbox(tx, &self.bundle.user_id, latest.user, &self.news).await?;
        }
        Ok(())
    }

    async fn enrolled(&self, tx: &mut Tx) -> Result<Enrollment, sqlx::Error> {
        Ok(Enrollment::Enrolled(self.entry(tx).await?))
    }

    async fn entry(&self, tx: &mut Tx) -> Result<wire::DirectoryEntry, sqlx::Error> {
        let entry = directory::entry_even_if_deleted(tx, &self.bundle.user_id).await?;
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
}
