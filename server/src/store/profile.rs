//! A user's own profile: what changes is no longer what an operator checked (§10.5).

use connect_proto::ids::UserId;
use connect_proto::wire;

use super::writer::{Single, Tx};
use super::{UserNumber, directory};

#[derive(Debug)]
pub(crate) struct ChangeProfile {
    pub(crate) user: UserNumber,
    pub(crate) user_id: UserId,
    pub(crate) profile: wire::Profile,
}

impl Single for ChangeProfile {
    /// None where the account ended meanwhile.
    type Outcome = Option<wire::DirectoryEntry>;

    async fn apply(&mut self, tx: &mut Tx) -> Result<Self::Outcome, sqlx::Error> {
        let changed = sqlx::query(
            "UPDATE users SET display_name = ?1, profession = ?2, organisation = ?3,
                 attested = attested AND display_name = ?1 AND profession = ?2 AND organisation = ?3
             WHERE id = ?4 AND state = 0",
        )
        .bind(&self.profile.display_name)
        .bind(&self.profile.profession)
        .bind(&self.profile.organisation)
        .bind(self.user.0)
        .execute(&mut tx.connection)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(None);
        }
        directory::entry_even_if_deleted(tx, &self.user_id).await
    }
}
