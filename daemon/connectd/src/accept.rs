//! The accept loop: how many connections there may be, in all and per uid.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use connect_ipc::socket::{Listener, Peer, Stream};
use jsonrpsee::core::server::Methods;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::serve;
use crate::rpc::context::Context;

/// What accepting waits for where the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn run(
    listener: Listener,
    context: Arc<Context>,
    methods: Methods,
    ending: CancellationToken,
) {
    let connections = TaskTracker::new();
    let counts = Arc::new(Counts::default());
    let mut id = 0;
    loop {
        let accepted = tokio::select! {
            () = ending.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let limits = (
            context.limits.connections,
            context.limits.connections_per_uid,
        );
        let Some(counted) = Counted::enter(&counts, peer.uid, limits) else {
            tracing::warn!(
                uid = peer.uid,
                "a connection was refused: there are too many"
            );
            continue;
        };
        id += 1;
        connections.spawn(attend(
            counted,
            stream,
            peer,
            id,
            (Arc::clone(&context), methods.clone()),
            ending.clone(),
        ));
    }
    // No new client comes in while the others end.
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn attend(
    counted: Counted,
    stream: Stream,
    peer: Peer,
    id: usize,
    house: (Arc<Context>, Methods),
    ending: CancellationToken,
) {
    serve(stream, peer, id, house, ending).await;
    drop(counted);
}

#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<u32, usize>>);

/// A connection that is counted as long as it lives.
#[derive(Debug)]
struct Counted {
    counts: Arc<Counts>,
    uid: u32,
}

impl Counted {
    /// None where there are too many, in all or of this uid.
    fn enter(counts: &Arc<Counts>, uid: u32, (max, max_per_uid): (usize, usize)) -> Option<Self> {
        let mut by_uid = counts.0.lock();
        if by_uid.values().sum::<usize>() >= max {
            return None;
        }
        let of_uid = by_uid.entry(uid).or_default();
        if *of_uid >= max_per_uid {
            return None;
        }
        *of_uid += 1;
        Some(Self {
            counts: Arc::clone(counts),
            uid,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut by_uid = self.counts.0.lock();
        if let Some(of_uid) = by_uid.get_mut(&self.uid) {
            *of_uid -= 1;
            if *of_uid == 0 {
                by_uid.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_per_uid_and_in_all() {
        let counts = Arc::new(Counts::default());
        let enter = |uid| Counted::enter(&counts, uid, (3, 2));
        let first = enter(1).unwrap();
        let _second = enter(1).unwrap();
        assert!(enter(1).is_none());
        let _other = enter(2).unwrap();
        assert!(enter(3).is_none());
        drop(first);
        assert!(enter(1).is_some());
    }
}
