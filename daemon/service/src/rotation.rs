//! How far a rotation of the account's keys has got, while unlocked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connect_proto::bundle;
use connect_proto::sign::SignSecretKey;
use connect_proto::wire;
use connect_vault::keys::NextKeys;
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::own::OwnBox;

/// The keys that are going to be in force. They are durable in the vault.
#[derive(Clone)]
pub(crate) struct Next {
    pub(crate) boxed: Arc<OwnBox>,
    pub(crate) sign_key: Arc<SignSecretKey>,
    /// Durable in the database, once there is one: the relay may know of it.
    pub(crate) bundle: Option<wire::SignedKeyBundle>,
}

impl Next {
    pub(crate) fn new(keys: NextKeys, bundle: Option<wire::SignedKeyBundle>) -> Self {
        let boxed = Arc::new(OwnBox::new(keys.box_key));
        let is_of_these = |signed: &wire::SignedKeyBundle| {
            bundle::open(signed).is_ok_and(|bundle| bundle.box_key == boxed.public)
        };
        Self {
            bundle: bundle.filter(is_of_these),
            sign_key: Arc::new(keys.sign_key),
            boxed,
        }
    }
}

/// How far a rotation is.
pub(crate) struct Rotation {
    /// One change of the account's own entry at a time.
    next: Mutex<Option<Next>>,
    /// The relay may have put other keys in force than the session has.
    is_under_way: AtomicBool,
    wake: Notify,
}

impl Rotation {
    pub(crate) fn new(next: Option<Next>) -> Self {
        let is_under_way = next.as_ref().is_some_and(|next| next.bundle.is_some());
        let rotation = Self {
            next: Mutex::new(next),
            is_under_way: AtomicBool::new(is_under_way),
            wake: Notify::new(),
        };
        if is_under_way {
            rotation.wake.notify_one();
        }
        rotation
    }

    pub(crate) async fn turn(&self) -> MutexGuard<'_, Option<Next>> {
        self.next.lock().await
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.is_under_way.load(Ordering::SeqCst)
    }

    pub(crate) fn has_begun(&self) {
        self.is_under_way.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_ended(&self) {
        self.is_under_way.store(false, Ordering::SeqCst);
    }

    /// Waits until there is a reason to go on.
    pub(crate) async fn is_hurried(&self) {
        self.wake.notified().await;
    }

    /// The relay shows that it may have the new keys already.
    pub(crate) fn hurry(&self) {
        self.wake.notify_one();
    }
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rotation(..)")
    }
}
