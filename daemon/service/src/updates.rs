//! What the relay's operations key says of a contact's key: it may suspend one at once, and never promote one (D10).

use connect_proto::hash::Digest;
use connect_proto::ids::UserId;
use connect_proto::sign::{Purpose, verify};
use connect_proto::{codec, wire};
use connect_store::codes::KeyState;
use connect_store::contacts::{Contact, Stated};
use connect_store::row::MAX_INTEGER;

use crate::directory::{key_state, trust_of, worsen};
use crate::unlocked::Unlocked;

/// A contact update whose signature verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) user_id: UserId,
    /// Rises with every statement about the user.
    pub(crate) revision: u64,
    /// Of the bundle that it is about.
    pub(crate) digest: Digest,
    pub(crate) state: KeyState,
    pub(crate) effective_ms: u64,
}

/// What an update says, where the relay's operations key signed it.
pub(crate) fn signed(
    unlocked: &Unlocked,
    update: &wire::ContactUpdate,
) -> Option<wire::ContactUpdateStatement> {
    verify(
        Purpose::ContactUpdate,
        &update.statement,
        &update.signature,
        &unlocked.me().account.operations_key,
    )
    .ok()?;
    codec::decode(&update.statement).ok()
}

/// None where it does not verify, or says what makes no sense.
pub(crate) fn verified(unlocked: &Unlocked, update: &wire::ContactUpdate) -> Option<Statement> {
    let statement = signed(unlocked, update)?;
    Some(Statement {
        user_id: statement.user_id.parse().ok()?,
        revision: Some(statement.revision).filter(|revision| *revision <= MAX_INTEGER)?,
        digest: statement.bundle_digest.as_slice().try_into().ok()?,
        state: key_state(statement.state()),
        effective_ms: statement.effective_ms,
    })
}

/// Whatever the directory says: the state of a key gets worse, and of a bundle that is not known yet it is remembered.
/// An old statement, or one that came before, changes nothing.
pub(crate) fn apply(contact: &mut Contact, statement: &Statement, now_ms: u64) {
    if statement.revision <= contact.update_revision {
        return;
    }
    contact.update_revision = statement.revision;
    let at_ms = statement.effective_ms.min(now_ms);
    let mut keys = contact.keys.iter_mut();
    match keys.find(|key| key.digest == statement.digest) {
        Some(key) => {
            worsen(key, statement.state, at_ms);
            contact.stated = None;
        }
        None => {
            contact.stated = Some(Stated {
                digest: statement.digest,
                state: statement.state,
                at_ms,
            });
        }
    }
    contact.trust = trust_of(&contact.keys);
}
