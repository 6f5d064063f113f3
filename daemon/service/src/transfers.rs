//! What the transfers of a session share: their files, who is at work on what, and what wakes whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use connect_proto::ids::AttachmentId;
use connect_store::attachments::AttachmentRow;
use connect_store::files::Files;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

/// What is done with one attachment at the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Errand {
    /// Its chunks go there, or come from there.
    Move(AttachmentRow),
    /// The relay is to forget it.
    Remove(AttachmentId),
}

/// What the transfers of a session share.
#[derive(Debug)]
pub(crate) struct Transfers {
    pub(crate) files: Files,
    /// Changes whenever there is something to do, or something was done.
    moved: watch::Sender<u64>,
    /// Those that somebody is at.
    pub(crate) taken: Mutex<BTreeSet<Errand>>,
    /// Those that could not go on when it was their turn, in that order.
    pub(crate) failed: Mutex<BTreeMap<Errand, u64>>,
    /// Chunks that are sealed at once: as many as there are cores.
    pub(crate) sealing: Arc<Semaphore>,
    /// One image is decoded at a time.
    pub(crate) decoding: Arc<Semaphore>,
}

impl Transfers {
    pub(crate) fn of(account: &Path) -> Self {
        Self {
            files: Files::of(account),
            moved: watch::Sender::new(0),
            taken: Mutex::default(),
            failed: Mutex::default(),
            sealing: Arc::new(Semaphore::new(cores())),
            decoding: Arc::new(Semaphore::new(1)),
        }
    }

    /// Wakes whoever has work to look for, or waits for an end of it.
    pub(crate) fn wake(&self) {
        self.moved.send_modify(|moved| *moved += 1);
    }

    /// Whoever fails goes behind all who have not, and behind all who failed before.
    pub(crate) fn note_outcome(&self, errand: Errand, is_well: bool) {
        let mut failed = self.failed.lock();
        if is_well {
            failed.remove(&errand);
            return;
        }
        let last = failed.values().max().copied().unwrap_or_default();
        failed.insert(errand, last + 1);
    }

    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8))
}
