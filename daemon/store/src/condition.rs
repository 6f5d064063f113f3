//! How the disk under the database is: what fails at present, and whether the file was found whole.

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::StoreError;

/// What stands between the database and its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Full,
    Failed,
}

/// What is known of the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Integrity {
    /// The database was closed cleanly, or the check has not come to an end.
    #[default]
    Unchecked,
    Checking,
    Ok,
    Damaged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// Until the next commit.
    pub trouble: Option<Trouble>,
    pub integrity: Integrity,
}

/// Shared by all who use the database.
#[derive(Debug, Default)]
pub struct Condition {
    state: watch::Sender<State>,
    /// SQLCipher gives no page to a connection any more that met one that it could not open: whatever was connected
    /// before something failed is not used again.
    failed: Mutex<Option<Instant>>,
}

impl Condition {
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Something was written and is durable.
    pub fn note_success(&self) {
        let healed = self
            .state
            .send_if_modified(|state| state.trouble.take().is_some());
        if healed {
            tracing::info!("the database can be written again");
        }
    }

    /// Errors that are not the disk's change nothing.
    pub fn note(&self, error: StoreError) {
        let trouble = match error {
            StoreError::Full => Trouble::Full,
            StoreError::Failed(_) | StoreError::Damaged => Trouble::Failed,
            _ => return,
        };
        self.note_trouble(trouble);
    }

    pub fn note_trouble(&self, trouble: Trouble) {
        if trouble == Trouble::Failed {
            *self.failed.lock() = Some(Instant::now());
        }
        let news = self
            .state
            .send_if_modified(|state| state.trouble.replace(trouble) != Some(trouble));
        if news {
            tracing::error!(?trouble, "the database cannot be read or written");
        }
    }

    /// Whether something failed since.
    pub(crate) fn failed_after(&self, connected: Instant) -> bool {
        self.failed.lock().is_some_and(|failed| connected <= failed)
    }

    pub(crate) fn set_integrity(&self, integrity: Integrity) {
        self.state.send_modify(|state| state.integrity = integrity);
    }

    /// Returns once something fails.
    pub async fn trouble(&self) -> Trouble {
        let mut following = self.state.subscribe();
        let state = following.wait_for(|state| state.trouble.is_some()).await;
        // The sender lives as long as this borrow of it.
        state
            .map_or(None, |state| state.trouble)
            .unwrap_or(Trouble::Failed)
    }

    /// Returns once what fails, or will fail, does so no longer.
    pub async fn healed(&self) {
        let mut following = self.state.subscribe();
        following
            .wait_for(|state| state.trouble.is_some())
            .await
            .ok();
        following
            .wait_for(|state| state.trouble.is_none())
            .await
            .ok();
    }
}
