//! What was written before somebody joined, as it was sent and in its order (D16).

use connect_proto::{codec, wire};

use crate::refused::PayloadRefused;

/// Entries of one log at most.
pub const MAX_ENTRIES: usize = 100_000;

pub fn encode(entries: Vec<wire::CaseSealed>) -> Vec<u8> {
    codec::encode(&wire::CaseLog { entries })
}

/// Each entry still has to be opened, and its author's signature verified.
pub fn decode(bytes: &[u8]) -> Result<Vec<wire::CaseSealed>, PayloadRefused> {
    let log: wire::CaseLog = codec::decode(bytes).map_err(|_| PayloadRefused::Malformed)?;
    if log.entries.len() > MAX_ENTRIES {
        return Err(PayloadRefused::Malformed);
    }
    Ok(log.entries)
}
