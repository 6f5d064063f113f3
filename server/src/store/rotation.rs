//! Rotation (D10): a user's own new keys, signed by the old ones; the installation stays.

use connect_proto::bundle::{self, Bundle};
use connect_proto::keys::SignPublicKey;
use connect_proto::wire;

use super::chain::{self, Link};
use super::directory;
use super::news::News;
use super::writer::{Single, Tx};

/// New keys whose bundle was opened.
#[derive(Debug)]
pub(crate) struct Rotate {
    pub(crate) bundle: Bundle,
    pub(crate) signed: wire::SignedKeyBundle,
    /// The key that signed the request.
    pub(crate) by: SignPublicKey,
    pub(crate) news: News,
}

#[derive(Debug)]
pub(crate) enum Rotation {
    Rotated(wire::DirectoryEntry),
    /// The bundle does not follow on the newest one, which is in here.
    WrongChain(wire::DirectoryEntry),
    WrongPreviousSignature,
    /// Another installation enrolls, it does not rotate.
    OtherInstallation,
    /// The Sign Key was this user's before.
    KeyUsedBefore,
    /// The request was signed by a key that is not active any more.
    FormerKey,
}

impl Single for Rotate {
    type Outcome = Rotation;

    async fn apply(&mut self, tx: &mut Tx) -> Result<Rotation, sqlx::Error> {
        let user_id = self.bundle.user_id.clone();
        let latest = chain::latest(tx, &user_id).await?;
        let Some(latest) = latest.filter(Link::is_active) else {
            return Ok(Rotation::FormerKey);
        };
        if self.is_repeat_of(&latest) {
            return self.entry(tx, Rotation::Rotated).await;
        }
        if self.by != latest.sign_key {
            return Ok(Rotation::FormerKey);
        }
        if self.bundle.revision != latest.revision + 1
            || self.bundle.previous_digest != Some(latest.digest)
        {
            return self.entry(tx, Rotation::WrongChain).await;
        }
        if self.bundle.installation_id.as_bytes().as_slice() != latest.installation_id {
            return Ok(Rotation::OtherInstallation);
        }
        if chain::was_used(tx, latest.user, &self.bundle.sign_key).await? {
            return Ok(Rotation::KeyUsedBefore);
        }
        if bundle::check_previous_signature(&self.signed, &latest.sign_key).is_err() {
            return Ok(Rotation::WrongPreviousSignature);
        }
        let state = wire::KeyState::KeyReplaced;
        chain::end(tx, &user_id, &latest, state, None, &self.news).await?;
        let now_ms = self.news.now_ms;
        chain::add(tx, latest.user, &self.bundle, &self.signed, now_ms).await?;
        self.entry(tx, Rotation::Rotated).await
    }
}

impl Rotate {
    /// The answer was lost, and the client asks again: by the new key, or by the one that it had when it first asked.
    fn is_repeat_of(&self, latest: &Link) -> bool {
        let by_the_key_before = || bundle::check_previous_signature(&self.signed, &self.by).is_ok();
        bundle::digest(&self.signed) == latest.digest
            && (self.by == latest.sign_key || by_the_key_before())
    }

    async fn entry(
        &self,
        tx: &mut Tx,
        outcome: fn(wire::DirectoryEntry) -> Rotation,
    ) -> Result<Rotation, sqlx::Error> {
        let entry = directory::entry_even_if_deleted(tx, &self.bundle.user_id).await?;
        Ok(outcome(entry.unwrap_or_default()))
    }
}
