//! Revocation by an operator (§5.1): a key ends, and what waits stays for the installation that comes next.

use connect_proto::ids::UserId;
use connect_proto::wire;

use super::chain::{self, Link};
use super::news::News;
use super::writer::Tx;
use super::{Account, codes};

/// Whether this key may end so: an active one may, and one that ended may still turn out to be compromised.
pub(crate) fn may_end(link: &Link, state: wire::KeyState) -> bool {
    link.is_active()
        || (state == wire::KeyState::KeyCompromised && link.state != wire::KeyState::KeyCompromised)
}

/// An open code is withdrawn with the active key: who stole the one may have the other.
pub(crate) async fn revoke(
    tx: &mut Tx,
    user_id: &UserId,
    link: &Link,
    state: wire::KeyState,
    entry: u64,
    news: &News,
) -> Result<(), sqlx::Error> {
    chain::end(tx, user_id, link, state, Some(entry), news).await?;
    if link.is_active() {
        sqlx::query("UPDATE users SET state = ? WHERE id = ?")
            .bind(Account::Revoked as i64)
            .bind(link.user.0)
            .execute(&mut tx.connection)
            .await?;
        codes::withdraw(&mut tx.connection, user_id).await?;
    }
    Ok(())
}
