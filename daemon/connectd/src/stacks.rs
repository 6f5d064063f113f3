//! Stacks after a lock: what a worker had on its own when it last went deep stays there until it goes as deep again, which an idle
//! one never does.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use connect_service::session::Phase;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use zeroize::zeroize_stack;

/// How deep a stack is overwritten; a debug build goes as far as 200 KiB.
const REACH: usize = 512 << 10;
/// After a lock: whoever held something then lets go by and by.
const PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// A worker that has just had its turn stays away for so long, so that another takes the next.
const TURN: Duration = Duration::from_millis(1);
/// Until one that is busy all the time is given up.
const ROUNDS: usize = 100;

/// How long a thread for work that blocks waits for more: its stack is given back when it ends.
pub const BLOCKING_KEPT: Duration = Duration::from_secs(4);

/// Of the thread that it is called on, from here on.
pub fn overwrite() {
    zeroize_stack::<REACH>();
}

/// Overwrites the workers' stacks whenever the session is open no more.
pub async fn attend(mut phases: watch::Receiver<Phase>) {
    while phases.changed().await.is_ok() {
        let is_open = matches!(*phases.borrow_and_update(), Phase::Unlocked(_));
        if is_open {
            continue;
        }
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            overwrite_workers().await;
        }
    }
}

async fn overwrite_workers() {
    let workers = Handle::current().metrics().num_workers();
    let done = Arc::new(Mutex::new(HashSet::new()));
    for _ in 0..ROUNDS {
        let mut turns = JoinSet::new();
        for _ in 0..workers {
            let done = Arc::clone(&done);
            turns.spawn(async move {
                overwrite();
                done.lock().insert(thread::current().id());
                thread::sleep(TURN);
            });
        }
        turns.join_all().await;
        if done.lock().len() >= workers {
            return;
        }
    }
    tracing::warn!("a worker's stack was not overwritten after the lock");
}
