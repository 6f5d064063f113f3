//! Who may write what into a case, and until when (D16).

use connect_proto::ids::UserId;

use crate::case::control::Control;
use crate::refusal::Refusal;

/// How long what was on its way under the epoch before is still taken (D16).
pub const GRACE_MS: u64 = 24 * 3600 * 1000;

/// Epochs of one case at most: whoever joins gets a key of each.
pub const MAX_EPOCHS: u32 = 4096;

/// Whether a case may have such an epoch.
pub fn check_number(epoch: u32) -> Result<(), Refusal> {
    if epoch > MAX_EPOCHS {
        return Err(Refusal::TooManyEpochs);
    }
    Ok(())
}

/// Whether an entry may still come under its epoch; `followed_ms` is when the next one came into force here.
pub fn check_epoch(followed_ms: Option<u64>, at_ms: u64) -> Result<(), Refusal> {
    match followed_ms {
        Some(since_ms) if at_ms.saturating_sub(since_ms) >= GRACE_MS => Err(Refusal::OldEpoch),
        _ => Ok(()),
    }
}

/// Whether the author is in the roster that it wrote under. `named` is the revision that the entry names, where it is known;
/// `closed_ms` is since when the case is closed.
pub fn check_author(
    author: &UserId,
    named: Option<&Control>,
    current: &Control,
    closed_ms: Option<u64>,
    at_ms: u64,
) -> Result<(), Refusal> {
    let roster = named.unwrap_or(current);
    if !roster.has(author) {
        return Err(Refusal::NotAParticipant);
    }
    let is_late = closed_ms.is_some_and(|since_ms| at_ms.saturating_sub(since_ms) >= GRACE_MS);
    if is_late || roster.closed {
        return Err(Refusal::CaseClosed);
    }
    Ok(())
}
