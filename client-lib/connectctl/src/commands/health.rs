//! `connectctl health`

use clap::Args;
use connect_api::system::{
    self, HostHealth, Integrity, KeyMemory, RelayHealth, SessionHealth, StorageHealth,
    StorageTrouble,
};

use crate::context::Context;
use crate::error::Error;
use crate::{table, time, words};

/// Less is what clocks of well-kept computers differ by.
const NOTABLE_OFFSET_MS: u64 = 1000;

#[derive(Debug, Args)]
pub(crate) struct Health {}

pub(crate) async fn run(_: Health, context: &Context) -> Result<(), Error> {
    let health = context.client.health().await?;
    context
        .out
        .answer(&health, || table::pairs(&context.out, &pairs(&health)))
}

fn pairs(health: &system::Health) -> [(&'static str, String); 9] {
    let queues = (&health.outbox, &health.inbox);
    [
        ("state", words::state(health.state)),
        ("keys", keys(&health.session)),
        ("relay", relay(&health.relay)),
        (
            "outbox",
            format!("{} queued, {} held", queues.0.queued, queues.0.held),
        ),
        (
            "inbox",
            format!(
                "{} missing, {} quarantined",
                queues.1.missing, queues.1.quarantined
            ),
        ),
        (
            "contacts",
            format!(
                "{} wait for a decision, {} contradicted by the directory",
                health.trust.undecided, health.trust.contradicted
            ),
        ),
        ("last event", health.events.last_event_id.to_string()),
        ("storage", storage(&health.storage)),
        ("host", host(&health.host)),
    ]
}

fn keys(session: &SessionHealth) -> String {
    let now = if session.keys_in_memory {
        "in memory"
    } else {
        "closed"
    };
    let idle = match (session.idle_lock_s, session.covers) {
        (None, _) => "never locked for want of use".to_owned(),
        (Some(after_s), true) => format!("covered after {after_s} s without use"),
        (Some(after_s), false) => format!("wiped after {after_s} s without use"),
    };
    let unattended = if session.unattended {
        "; opened without anyone when the daemon starts"
    } else {
        ""
    };
    let presence = match session.presence_s {
        Some(seconds) => format!(
            "; uncovered by who shows the host to be the owner, for {seconds} s after the PIN"
        ),
        None => String::new(),
    };
    format!("{now}, {idle}{unattended}{presence}")
}

fn relay(relay: &RelayHealth) -> String {
    let reachable = if relay.reachable {
        "reachable"
    } else {
        "not reachable"
    };
    let answered = relay.last_sync_ms.map_or_else(
        || "never answered".into(),
        |at| format!("last answer {}", time::local(at)),
    );
    let offset = relay.clock_offset_ms.unsigned_abs();
    if offset < NOTABLE_OFFSET_MS {
        return format!("{reachable}, {answered}");
    }
    let direction = if relay.clock_offset_ms > 0 {
        "behind"
    } else {
        "ahead of"
    };
    let offset = time::duration(offset);
    format!("{reachable}, {answered}; this computer's clock is {offset} {direction} the relay's")
}

fn storage(storage: &StorageHealth) -> String {
    let trouble = match storage.trouble {
        None => "works",
        Some(StorageTrouble::StorageFull) => "the disk is full",
        Some(StorageTrouble::StorageFailed) => "the disk fails",
        Some(StorageTrouble::Other) => "in trouble",
    };
    let integrity = match storage.integrity {
        Integrity::Unchecked => return trouble.into(),
        Integrity::Checking => "the database is being checked",
        Integrity::Ok => "the database was checked and is whole",
        Integrity::Other => "the database is in a state that this connectctl does not know",
        Integrity::Damaged => "the database is DAMAGED: restore it from a backup",
    };
    format!("{trouble}; {integrity}")
}

fn host(host: &HostHealth) -> String {
    let dangers: Vec<&str> = [
        (host.core_dumps, "core dumps are possible"),
        (host.swap, "swap may not be encrypted"),
        (host.traceable, "a debugger could attach"),
        (
            host.memory.keys == KeyMemory::Swappable && !host.memory.locked,
            "keys could be swapped",
        ),
        (
            !host.memory.wiped && host.memory.keys != KeyMemory::Other,
            "freed memory is not overwritten",
        ),
    ]
    .into_iter()
    .filter_map(|(is_so, danger)| is_so.then_some(danger))
    .collect();
    if dangers.is_empty() {
        return "keeps secrets".into();
    }
    dangers.join(", ")
}
