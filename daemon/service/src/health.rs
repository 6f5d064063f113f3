//! How the daemon is: from memory alone, so that asking costs nothing.

use connect_store::condition::State;

use crate::session::Session;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    pub reachable: bool,
    pub last_sync_ms: Option<u64>,
    pub clock_offset_ms: i64,
    pub queued: u64,
    pub held: u64,
    pub missing: u64,
    pub quarantined: u64,
    pub undecided: u64,
    pub contradicted: u64,
    pub last_event_id: u64,
    pub storage: State,
    /// The keys are in memory, also where callers are shut out.
    pub keys_in_memory: bool,
}

/// All zero while no session is at work.
pub fn health(session: &Session) -> Health {
    let Some(unlocked) = session.at_work() else {
        return Health::default();
    };
    let counters = &unlocked.counters;
    Health {
        reachable: counters.reachable(),
        last_sync_ms: Some(counters.last_sync_ms()).filter(|ms| *ms > 0),
        clock_offset_ms: unlocked.uplink.clock_offset_ms(),
        queued: counters.queued(),
        held: counters.held(),
        missing: counters.missing().saturating_add(counters.unopened()),
        quarantined: counters.quarantined(),
        undecided: counters.undecided(),
        contradicted: counters.contradicted(),
        last_event_id: unlocked.newest_event(),
        keys_in_memory: true,
        storage: unlocked.store.condition().state(),
    }
}
