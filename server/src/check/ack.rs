//! What a receive may ask for.

use std::collections::BTreeMap;
use std::time::Duration;

use connect_proto::ids::MessageId;
use connect_proto::{routes, wire};

use crate::refusal::Wrong;

/// A checked `Ack`.
#[derive(Debug)]
pub(crate) struct Receive {
    /// By queue_seq. An entry that cannot be one of ours is left out: it acknowledges nothing.
    pub(crate) acknowledged: BTreeMap<u64, MessageId>,
    pub(crate) wait: Duration,
    pub(crate) limit: usize,
}

pub(crate) fn check(ack: &wire::Ack) -> Result<Receive, Wrong> {
    if ack.entries.len() > routes::MAX_ACK_ENTRIES {
        return Err(Wrong::TooManyEntries);
    }
    let known = |entry: &wire::AckEntry| {
        Some((
            entry.queue_seq,
            entry.message_id.as_slice().try_into().ok()?,
        ))
    };
    let limit = match usize::try_from(ack.limit) {
        // Left out.
        Ok(0) | Err(_) => routes::MAX_RECEIVE_ENVELOPES,
        Ok(limit) => limit.min(routes::MAX_RECEIVE_ENVELOPES),
    };
    Ok(Receive {
        acknowledged: ack.entries.iter().filter_map(known).collect(),
        wait: Duration::from_millis(ack.wait_ms.min(routes::MAX_WAIT_MS).into()),
        limit,
    })
}
