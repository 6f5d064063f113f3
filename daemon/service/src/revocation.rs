//! The relay says that the key in force is so no more (§5.1, §5.2).
//!
//! Only what the relay's operations key has signed about the very bundle that is in force is believed (D10), or, where a
//! rotation lost its answer, about the one that may be.

use std::sync::Arc;

use connect_proto::hash::Digest;
use connect_proto::wire::{self, KeyState};

use crate::revoked::Revocation;
use crate::unlocked::Unlocked;
use crate::updates::signed;

/// What a statement means for a bundle of ours; nothing where it is about another, or not the relay's.
fn meaning(
    unlocked: &Unlocked,
    update: &wire::ContactUpdate,
    bundle: Option<Digest>,
) -> Option<Revocation> {
    let statement = signed(unlocked, update)?;
    let is_about_us = statement.user_id == unlocked.user_id().as_str()
        && bundle.is_some_and(|digest| digest.as_slice() == statement.bundle_digest);
    match statement.state() {
        _ if !is_about_us => None,
        KeyState::KeyActive => None,
        KeyState::KeyReplaced => Some(Revocation::Replaced),
        KeyState::KeyRevoked => Some(Revocation::Revoked),
        KeyState::KeyCompromised => Some(Revocation::Compromised),
    }
}

impl Unlocked {
    /// A statement of the relay's came, by whatever way.
    pub(crate) fn consider(&self, update: &wire::ContactUpdate) {
        // Asked first: a rotation that ends in between has put another key in force by the time the statement is read.
        let may_be_our_own = self.rotation.is_under_way();
        match meaning(self, update, self.me().digest()) {
            None => {}
            Some(Revocation::Replaced) if may_be_our_own => self.rotation.hurry(),
            Some(revocation) => {
                self.dismissed.send_replace(Some(revocation));
            }
        }
    }

    /// Takes the relay's last word on a refused call as it stands, about the bundle in force or about `next`, which the call
    /// was signed with. Returns whether it ends the installation.
    pub(crate) fn follow_dismissal(&self, next: Option<Digest>) -> bool {
        let Some(update) = self.uplink.dismissals().borrow().clone() else {
            return false;
        };
        let revocation =
            meaning(self, &update, self.me().digest()).or_else(|| meaning(self, &update, next));
        if let Some(revocation) = revocation {
            self.dismissed.send_replace(Some(revocation));
        }
        revocation.is_some()
    }
}

/// Listens to what comes with the relay's refusals.
pub(crate) async fn run(unlocked: Arc<Unlocked>) {
    let mut dismissals = unlocked.uplink.dismissals();
    loop {
        tokio::select! {
            () = unlocked.ending.cancelled() => return,
            changed = dismissals.changed() => if changed.is_err() { return },
        }
        let update = dismissals.borrow_and_update().clone();
        if let Some(update) = update {
            unlocked.consider(&update);
        }
    }
}
