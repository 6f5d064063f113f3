//! Which apps may come in now: known while the keys are locked too, or an app could not unlock them.

mod door;
mod file;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use connect_core::token::Token;
use connect_proto::ids::AppId;
use connect_store::apps::App;
use parking_lot::RwLock;
use tokio::sync::{Mutex, MutexGuard};

use crate::error::Error;

pub use door::Door;

/// Every app that may come in.
#[derive(Debug)]
pub struct Doors {
    path: PathBuf,
    known: RwLock<HashMap<AppId, Arc<Door>>>,
    /// One change at a time.
    turn: Mutex<()>,
}

impl Doors {
    /// As the copy tells. Where it is damaged, nobody is let in before the next unlock makes it anew.
    pub(crate) fn load(path: PathBuf) -> Self {
        let doors = file::read(&path).unwrap_or_else(|error| {
            tracing::warn!(%error, "the list of paired apps cannot be read: they come in after the next unlock");
            Vec::new()
        });
        let known = doors
            .into_iter()
            .map(|door| (door.app_id, Arc::new(door)))
            .collect();
        Self {
            path,
            known: RwLock::new(known),
            turn: Mutex::new(()),
        }
    }

    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(crate) fn open(&self, app_id: AppId, token: &Token, uid: u32) -> Option<Arc<Door>> {
        let door = self.known.read().get(&app_id).cloned()?;
        let is_right = door.digest.is_of(token) && door.uid.is_none_or(|bound| bound == uid);
        (is_right && !door.is_revoked()).then_some(door)
    }

    /// From now on these may come in, and no others; a copy that cannot be written is made at the next unlock.
    pub(crate) fn settle(&self, apps: Vec<App>) {
        if let Err(error) = self.write_copy(&apps) {
            tracing::warn!(%error, "new apps come in again after a restart only once the keys are unlocked");
        }
        let mut known = self.known.write();
        let mut left = std::mem::take(&mut *known);
        for app in apps {
            let Some(digest) = app.digest else { continue };
            // Whoever stays as it was keeps its connections; what a copy said differently does not count.
            let is_same = |door: &Arc<Door>| door.is_as(&app.scopes, app.uid, &digest);
            let door = if left.get(&app.app_id).is_some_and(is_same) {
                left.remove(&app.app_id)
            } else {
                None
            };
            let door = door
                .unwrap_or_else(|| Arc::new(Door::new(app.app_id, app.scopes, app.uid, digest)));
            known.insert(door.app_id, door);
        }
        for door in left.into_values() {
            door.revoke();
        }
    }

    /// The account is gone, and nobody comes in.
    pub(crate) fn close(&self) {
        for (_, door) in self.known.write().drain() {
            door.revoke();
        }
    }

    pub(crate) fn write_copy(&self, apps: &[App]) -> Result<(), Error> {
        file::write(&self.path, apps)
            .map_err(|error| Error::of_files(&error, "list of paired apps"))
    }
}
