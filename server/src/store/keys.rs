//! The Sign Key of each user who calls: remembered, since every request needs one.

use std::collections::HashMap;
use std::sync::Arc;

use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use parking_lot::Mutex;
use sqlx::Row as _;

use super::{Store, UserNumber};

/// Answers kept at most; then all are forgotten, which costs a look into the database each.
const MAX_REMEMBERED: usize = 65_536;

/// A user's number and active key; none for someone unknown. That is remembered too, so that it costs the same.
pub(crate) type Caller = Option<(UserNumber, SignPublicKey)>;

#[derive(Debug, Default)]
struct Remembered {
    callers: HashMap<UserId, Caller>,
    /// Rises with every change of a key: what was read before such a change is not remembered after it.
    changes: u64,
}

/// What the relay remembers of the callers' keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(Arc<Mutex<Remembered>>);

impl Keys {
    /// To be called after a commit that changed a key, before anyone is told of it.
    pub(super) fn forget(&self, user: &UserId) {
        let mut remembered = self.0.lock();
        remembered.changes += 1;
        remembered.callers.remove(user);
    }
}

impl Store {
    pub(crate) async fn find_caller(&self, user: &UserId) -> Result<Caller, sqlx::Error> {
        let changes = {
            let remembered = self.keys.0.lock();
            if let Some(caller) = remembered.callers.get(user) {
                return Ok(*caller);
            }
            remembered.changes
        };
        let caller = self.read_caller(user).await?;
        let mut remembered = self.keys.0.lock();
        if remembered.changes == changes {
            if remembered.callers.len() >= MAX_REMEMBERED {
                remembered.callers.clear();
            }
            remembered.callers.insert(user.clone(), caller);
        }
        Ok(caller)
    }

    async fn read_caller(&self, user: &UserId) -> Result<Caller, sqlx::Error> {
        let row = sqlx::query(
            "SELECT u.id, b.sign_key FROM users u JOIN bundles b ON b.user = u.id
             WHERE u.user_id = ? AND u.state = 0 AND b.state = 0 ORDER BY b.revision DESC LIMIT 1",
        )
        .bind(user.as_str())
        .fetch_optional(self.readers())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let key: &[u8] = row.try_get(1)?;
        let key = key
            .try_into()
            .map_err(|_| sqlx::Error::Decode("a sign key is not 32 bytes long".into()))?;
        Ok(Some((
            UserNumber(row.try_get(0)?),
            SignPublicKey::from_trusted(key),
        )))
    }
}
