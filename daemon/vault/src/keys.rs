//! The keys of an account, as they are while unlocked.

use std::fmt;

use connect_core::secret::{BoxSecretKey, DatabaseKey, LocalFileKey};
use connect_proto::ids::UserId;
use connect_proto::sign::SignSecretKey;
use rand_core::CryptoRngCore;

/// Every key of one account. Dropping it wipes them.
pub struct Keys {
    pub owner: UserId,
    pub box_key: BoxSecretKey,
    pub sign_key: SignSecretKey,
    pub database_key: DatabaseKey,
    pub local_file_key: LocalFileKey,
}

impl Keys {
    pub fn generate(owner: UserId, rng: &mut impl CryptoRngCore) -> Self {
        Self {
            owner,
            box_key: BoxSecretKey::generate(rng),
            sign_key: SignSecretKey::generate(rng),
            database_key: DatabaseKey::generate(rng),
            local_file_key: LocalFileKey::generate(rng),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}
