//! The Sign Keys of each user who calls: remembered, since every request needs one.

use std::collections::HashMap;
use std::sync::Arc;

use connect_proto::ids::UserId;
use connect_proto::keys::SignPublicKey;
use connect_proto::{codec, wire};
use parking_lot::Mutex;
use sqlx::Row as _;

use super::chain::{key_state, sign_key};
use super::{Store, UserNumber, signed, unsigned};
use crate::limits::{FORMER_KEYS, NEWEST_FORMER_KEYS};

/// Bundles of one user that are looked through for the keys of earlier installations.
const MAX_LOOKED_AT: u64 = 256;
/// Answers kept at most; then all are forgotten, which costs a look into the database each.
const MAX_REMEMBERED: usize = 65_536;

/// Someone who has enrolled, perhaps long ago.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) number: UserNumber,
    pub(crate) active: Option<SignPublicKey>,
    /// Not active any more, the newest first.
    pub(crate) former: [Option<SignPublicKey>; FORMER_KEYS],
}

/// None for someone unknown. That is remembered too, so that it costs the same.
pub(crate) type Caller = Option<Known>;

/// What became of a bundle that is not active any more.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) statement: wire::ContactUpdateStatement,
    /// The same installation goes on under a newer key.
    pub(crate) rotated: bool,
}

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
        let rows = sqlx::query(
            "SELECT u.id, b.sign_key, u.state = 0 AND b.state = 0, b.bundle FROM users u JOIN bundles b ON b.user = u.id
             WHERE u.user_id = ? ORDER BY b.revision DESC LIMIT ?",
        )
        .bind(user.as_str())
        .bind(signed(MAX_LOOKED_AT))
        .fetch_all(self.readers())
        .await?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let mut known = Known {
            number: UserNumber(first.try_get(0)?),
            active: None,
            former: [None; FORMER_KEYS],
        };
        let (mut active, mut former) = (None, Vec::new());
        for row in &rows {
            let key = sign_key(row.try_get(1)?)?;
            let installation = installation_id(row.try_get(3)?)?;
            if row.try_get(2)? {
                known.active = Some(key);
                active = Some(installation);
            } else {
                former.push((installation, key));
            }
        }
        let worth_knowing = worth_knowing(active, former);
        for (place, key) in known.former.iter_mut().zip(worth_knowing) {
            *place = Some(key);
        }
        Ok(Some(known))
    }

    /// What there is to say to someone whose key is not active any more.
    pub(crate) async fn find_ended(
        &self,
        user: &UserId,
        key: &SignPublicKey,
    ) -> Result<Option<Ended>, sqlx::Error> {
        let row = sqlx::query(
            "SELECT b.bundle, b.state, b.changed_ms, coalesce(b.told_revision, u.update_revision),
                    (SELECT bundle FROM bundles WHERE user = u.id ORDER BY revision DESC LIMIT 1)
             FROM users u JOIN bundles b ON b.user = u.id
             WHERE u.user_id = ? AND b.sign_key = ? AND b.state <> 0 ORDER BY b.revision DESC LIMIT 1",
        )
        .bind(user.as_str())
        .bind(key.as_bytes().as_slice())
        .fetch_optional(self.readers())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (bundle, newest): (&[u8], &[u8]) = (row.try_get(0)?, row.try_get(4)?);
        let state = key_state(row.try_get(1)?);
        let same_installation = installation_id(bundle)? == installation_id(newest)?;
        Ok(Some(Ended {
            statement: wire::ContactUpdateStatement {
                user_id: user.as_str().to_owned(),
                revision: unsigned(row.try_get(3)?),
                bundle_digest: connect_proto::hash::sha256(bundle).to_vec(),
                state: state.into(),
                effective_ms: unsigned(row.try_get(2)?),
            },
            rotated: state == wire::KeyState::KeyReplaced && same_installation,
        }))
    }
}

/// The newest former keys, and of each earlier installation the last one, however often the present one has rotated since.
/// `former` is the newest first, each with its installation.
fn worth_knowing(
    active: Option<Vec<u8>>,
    former: Vec<(Vec<u8>, SignPublicKey)>,
) -> impl Iterator<Item = SignPublicKey> {
    let mut seen = active.into_iter().collect::<Vec<_>>();
    let worth = former
        .into_iter()
        .enumerate()
        .filter_map(move |(number, (installation, key))| {
            let is_its_last = !seen.contains(&installation);
            seen.push(installation);
            (is_its_last || number < NEWEST_FORMER_KEYS).then_some(key)
        });
    worth.take(FORMER_KEYS)
}

fn installation_id(bundle: &[u8]) -> Result<Vec<u8>, sqlx::Error> {
    let bundle: wire::KeyBundle =
        codec::decode(bundle).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(bundle.installation_id)
}
