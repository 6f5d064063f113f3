//! An open session: keys in memory, database open, relay known. Only `session` makes one (invariant 5).

use connect_core::secret::PseudonymKey;
use connect_proto::ids::UserId;
use connect_store::condition::Trouble;
use connect_store::database::Store;
use connect_store::policy::Policy;
use connect_uplink::uplink::Uplink;
use connect_vault::vault::Vault;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::error::Error;
use crate::own::{Identity, LastingKeys};
use crate::pending::Pending;
use crate::revoked::Revocation;
use crate::rotation::Rotation;
use crate::transfers::Transfers;

/// Dropping it wipes the keys.
pub struct Unlocked {
    pub(crate) user_id: UserId,
    /// Profile and keys; they change together, while calls that began before go on with those they began with.
    pub(crate) identity: watch::Sender<Arc<Identity>>,
    pub(crate) keys: Arc<LastingKeys>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) rotation: Rotation,
    /// The relay has said that the key in force is so no more.
    pub(crate) dismissed: watch::Sender<Option<Revocation>>,
    pub(crate) store: Store,
    pub(crate) uplink: Uplink,
    /// Names things in the audit log.
    pub(crate) pseudonym_key: PseudonymKey,
    /// What waits to be entered there.
    pub(crate) pending: Arc<Pending>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
    pub counters: Counters,
    /// As the sealed file has it.
    pub(crate) has_recovery_key: AtomicBool,
    /// Somebody's typing is being told.
    pub(crate) is_telling: AtomicBool,
    /// The id of the newest event that is committed.
    pub(crate) newest_event: watch::Sender<u64>,
    pub(crate) outbox_wake: Notify,
    pub(crate) transfers: Transfers,
    /// Something of a case takes the relay.
    pub(crate) case_wake: Notify,
    pub(crate) copies_wake: Notify,
    /// The relay answered after it had not.
    pub(crate) relay_is_back: Notify,
    pub(crate) policy: watch::Sender<Policy>,
    /// One change of the policy at a time.
    pub(crate) policy_turn: Mutex<()>,
    /// One question to the directory at a time, until its answer is stored.
    pub(crate) directory_turn: Mutex<()>,
    /// What the relay's clock showed when it last answered in this session: no jump of our own moves it.
    pub(crate) relay_time: watch::Sender<Option<u64>>,
    /// Ends the loops of this session.
    pub(crate) ending: CancellationToken,
    pub(crate) loops: TaskTracker,
}

impl Unlocked {
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// Profile and keys as they are now.
    pub fn me(&self) -> Arc<Identity> {
        Arc::clone(&self.identity.borrow())
    }

    /// Wakes whoever follows the events: a number, never a queue.
    pub(crate) fn announce(&self, event: u64) {
        self.newest_event
            .send_modify(|newest| *newest = event.max(*newest));
    }

    /// The session is being locked: whoever waits for something gives up, and the keys with it.
    pub async fn ended(&self) {
        self.ending.cancelled().await;
    }

    /// What failed somewhere above the database is told as the database's condition, where it is one.
    pub fn note_storage(&self, error: Error) {
        let trouble = match error {
            Error::StorageFull => Trouble::Full,
            Error::StorageFailed(_) => Trouble::Failed,
            _ => return,
        };
        self.store.condition().note_trouble(trouble);
    }

    pub fn has_recovery_key(&self) -> bool {
        self.has_recovery_key.load(Ordering::Relaxed)
    }

    pub fn policy(&self) -> Policy {
        *self.policy.borrow()
    }

    pub fn newest_event(&self) -> u64 {
        *self.newest_event.borrow()
    }
}

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unlocked(..)")
    }
}
