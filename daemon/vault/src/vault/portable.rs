//! What of the sealed keys goes into a backup: the boxes that the recovery key opens, on any machine, and nothing of a PIN.

use connect_proto::ids::UserId;
use serde::{Deserialize, Serialize};

use super::sealing::{CannotUnseal, open_boxes};
use crate::error::{RecoverError, VaultError};
use crate::keys::Keys;
use crate::recovery::RecoveryKey;
use crate::sealed::{MASTER_LEN, Wrapped};

/// More than a wrapped key takes.
const LONGEST_WRAPPED: usize = 512;

/// Ciphertext alone. Whether it is genuine shows when it is opened.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portable {
    owner: String,
    #[serde(with = "hex::serde")]
    recovery: Vec<u8>,
    keys: Wrapped,
}

impl Portable {
    pub(super) fn new(owner: &UserId, recovery: Vec<u8>, keys: Wrapped) -> Self {
        // A restored installation has keys of its own: of what was there only the newest is needed, to sign them.
        let keys = Wrapped {
            retired: Vec::new(),
            next: None,
            ..keys
        };
        Self {
            owner: owner.as_str().to_owned(),
            recovery,
            keys,
        }
    }

    /// Whether it has the form; what is wrong with it otherwise is not told.
    pub fn is_well_formed(&self) -> bool {
        let keys = [
            &self.keys.boxing,
            &self.keys.signing,
            &self.keys.database,
            &self.keys.local_file,
        ];
        self.owner.parse::<UserId>().is_ok()
            && self.recovery.len() == MASTER_LEN
            && keys.iter().all(|key| key.len() <= LONGEST_WRAPPED)
    }

    pub fn open(&self, key: &RecoveryKey) -> Result<Keys, RecoverError> {
        let damaged = || RecoverError::Vault(VaultError::Damaged);
        let owner: UserId = self.owner.parse().map_err(|_| damaged())?;
        let opened = open_boxes(&owner, &self.recovery, &self.keys, key);
        opened.map_err(|error| match error {
            CannotUnseal::WrongPin | CannotUnseal::OutOfMemory => RecoverError::WrongKey,
            CannotUnseal::Damaged => damaged(),
        })
    }
}

impl std::fmt::Debug for Portable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Portable(..)")
    }
}
