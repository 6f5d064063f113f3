//! What `system.health` tells without asking the database.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use connect_store::database::Store;
use connect_store::error::StoreError;
use connect_store::{contacts, order, outbox, quarantine, unopened};

#[derive(Debug, Default)]
pub struct Counters {
    /// Signed: the outbox may be done with a message before its sender has counted it.
    queued: AtomicI64,
    held: AtomicI64,
    missing: AtomicI64,
    unopened: AtomicI64,
    quarantined: AtomicU64,
    undecided: AtomicU64,
    contradicted: AtomicU64,
    reachable: AtomicBool,
    last_sync_ms: AtomicU64,
}

impl Counters {
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let counters = Self::default();
        let mut tx = store.begin().await?;
        let (queued, held) = outbox::count(&mut tx).await?;
        let (undecided, contradicted) = contacts::count_notable(&mut tx).await?;
        drop(tx);
        counters.set_outbox(queued, held);
        counters.set_notable(undecided, contradicted);
        counters.change_missing(signed(order::count_missing(store).await?));
        counters.change_unopened(signed(unopened::count(store).await?));
        counters
            .quarantined
            .store(quarantine::count(store).await?, Ordering::Relaxed);
        Ok(counters)
    }

    pub fn queued(&self) -> u64 {
        unsigned(self.queued.load(Ordering::Relaxed))
    }

    /// Into the outbox, `held` of it to wait.
    pub fn add_queued(&self, queued: u64, held: u64) {
        self.queued.fetch_add(signed(queued), Ordering::Relaxed);
        self.held.fetch_add(signed(held), Ordering::Relaxed);
    }

    /// Out of the outbox.
    pub fn remove_queued(&self, was_held: bool) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
        self.held.fetch_sub(i64::from(was_held), Ordering::Relaxed);
    }

    pub fn held(&self) -> u64 {
        unsigned(self.held.load(Ordering::Relaxed))
    }

    pub fn change_held(&self, was_held: bool, is_held: bool) {
        let change = i64::from(is_held) - i64::from(was_held);
        self.held.fetch_add(change, Ordering::Relaxed);
    }

    /// As counted, where many rows changed at once.
    pub fn set_outbox(&self, queued: u64, held: u64) {
        self.queued.store(signed(queued), Ordering::Relaxed);
        self.held.store(signed(held), Ordering::Relaxed);
    }

    /// Messages that should have come by their sender's numbers, and did not (D13).
    pub fn missing(&self) -> u64 {
        unsigned(self.missing.load(Ordering::Relaxed))
    }

    pub fn change_missing(&self, change: i64) {
        self.missing.fetch_add(change, Ordering::Relaxed);
    }

    /// Messages that came sealed to a key which is not here, and are asked for.
    pub fn unopened(&self) -> u64 {
        unsigned(self.unopened.load(Ordering::Relaxed))
    }

    pub fn change_unopened(&self, change: i64) {
        self.unopened.fetch_add(change, Ordering::Relaxed);
    }

    pub fn quarantined(&self) -> u64 {
        self.quarantined.load(Ordering::Relaxed)
    }

    pub fn add_quarantined(&self, count: u64) {
        self.quarantined.fetch_add(count, Ordering::Relaxed);
    }

    pub fn remove_quarantined(&self, count: u64) {
        self.quarantined.fetch_sub(count, Ordering::Relaxed);
    }

    /// Contacts that wait for a decision about their key, or were decided against (D25).
    pub fn undecided(&self) -> u64 {
        self.undecided.load(Ordering::Relaxed)
    }

    /// Contacts of whom the directory contradicts what is known.
    pub fn contradicted(&self) -> u64 {
        self.contradicted.load(Ordering::Relaxed)
    }

    pub fn set_notable(&self, undecided: u64, contradicted: u64) {
        self.undecided.store(undecided, Ordering::Relaxed);
        self.contradicted.store(contradicted, Ordering::Relaxed);
    }

    pub fn reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }

    /// Returns whether that is news.
    pub fn set_reachable(&self, reachable: bool) -> bool {
        self.reachable.swap(reachable, Ordering::Relaxed) != reachable
    }

    /// 0 before the first one.
    pub fn last_sync_ms(&self) -> u64 {
        self.last_sync_ms.load(Ordering::Relaxed)
    }

    pub fn set_last_sync_ms(&self, now_ms: u64) {
        self.last_sync_ms.store(now_ms, Ordering::Relaxed);
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
