//! The keys of an account, as they are while unlocked.

use std::fmt;

use connect_core::secret::{BoxSecretKey, DatabaseKey, LocalFileKey, MasterKey};
use connect_proto::ids::UserId;
use connect_proto::sign::SignSecretKey;
use rand_core::CryptoRngCore;

/// Every key of one account. Dropping it wipes them.
pub struct Keys {
    pub owner: UserId,
    /// Wraps the others, and is needed for nothing else: whoever works with the keys lets it go. It stays the same for as long as the account does: the recovery key's box holds it too.
    pub master: MasterKey,
    pub box_key: BoxSecretKey,
    pub sign_key: SignSecretKey,
    pub database_key: DatabaseKey,
    pub local_file_key: LocalFileKey,
    /// The Box Keys before the one in force, newest first: what was sealed to them opens (§5.3).
    pub retired: Vec<BoxSecretKey>,
    /// A rotation has begun.
    pub next: Option<NextKeys>,
}

/// The keys that a rotation is going to put in force (§5.1).
pub struct NextKeys {
    pub box_key: BoxSecretKey,
    pub sign_key: SignSecretKey,
}

impl Keys {
    pub fn generate(owner: UserId, rng: &mut impl CryptoRngCore) -> Self {
        Self {
            owner,
            box_key: BoxSecretKey::generate(rng),
            sign_key: SignSecretKey::generate(rng),
            database_key: DatabaseKey::generate(rng),
            local_file_key: LocalFileKey::generate(rng),
            master: MasterKey::generate(rng),
            retired: Vec::new(),
            next: None,
        }
    }
}

impl NextKeys {
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self {
            box_key: BoxSecretKey::generate(rng),
            sign_key: SignSecretKey::generate(rng),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl fmt::Debug for NextKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NextKeys(..)")
    }
}
