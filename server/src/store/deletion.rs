//! The end of an account: its key is revoked, its profile and its mailbox are emptied, its attachments go, and
//! who wrote to it is told (D21).

use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::wire;

use super::bounce::{self, Recipient};
use super::chain::{self, Link};
use super::news::News;
use super::writer::{Single, Tx};
use super::{Account, UserNumber, codes, revocation, withdrawal};
use crate::limits::BOUNCED_AT_ONCE;

/// A user deletes its own account.
#[derive(Debug)]
pub(crate) struct DeleteAccount {
    pub(crate) user_id: UserId,
    /// The key that signed the request.
    pub(crate) by: SignPublicKey,
    pub(crate) news: News,
}

impl Single for DeleteAccount {
    /// False where the key was not active any more.
    type Outcome = bool;

    async fn apply(&mut self, tx: &mut Tx) -> Result<bool, sqlx::Error> {
        let latest = chain::latest(tx, &self.user_id).await?;
        let Some(latest) = latest.filter(|latest| latest.is_active() && latest.sign_key == self.by)
        else {
            return Ok(false);
        };
        let state = wire::KeyState::KeyRevoked;
        delete(tx, &self.user_id, &latest, state, None, &self.news).await?;
        Ok(true)
    }
}

/// What does not fit into this change is bounced by the next sweep; nobody can read it meanwhile.
pub(crate) async fn delete(
    tx: &mut Tx,
    user_id: &UserId,
    latest: &Link,
    state: wire::KeyState,
    entry: Option<u64>,
    news: &News,
) -> Result<(), sqlx::Error> {
    if revocation::may_end(latest, state) {
        chain::end(tx, user_id, latest, state, entry, news).await?;
    }
    sqlx::query(
        "UPDATE users SET state = ?, display_name = '', profession = '', organisation = '', attested = 0,
             attested_by_entry = NULL
         WHERE id = ?",
    )
    .bind(Account::Deleted as i64)
    .bind(latest.user.0)
    .execute(&mut tx.connection)
    .await?;
    withdrawal::part_from(tx, latest.user).await?;
    codes::withdraw(&mut tx.connection, user_id).await?;
    tx.rekeyed.push(user_id.clone());
    let recipient = Recipient::deleted(latest.user, user_id.as_str());
    let (secret, now_ms) = (&news.secret, news.now_ms);
    bounce::everything(tx, secret, &recipient, now_ms, BOUNCED_AT_ONCE).await?;
    Ok(())
}

/// All that is left of a deleted user's mailbox.
pub(super) async fn empty_mailbox(
    tx: &mut Tx,
    user_id: &UserId,
    user: UserNumber,
    news: &News,
) -> Result<(), sqlx::Error> {
    let recipient = Recipient::deleted(user, user_id.as_str());
    let (secret, now_ms) = (&news.secret, news.now_ms);
    while bounce::everything(tx, secret, &recipient, now_ms, BOUNCED_AT_ONCE).await? > 0 {}
    Ok(())
}
