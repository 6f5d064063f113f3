//! Whether a key of somebody may still speak for its owner (D24, D25).

use crate::refusal::Refusal;

/// How far a sender's clock may be off where its message says that it is from before its key was revoked (§10.1).
pub(crate) const CLOCK_SLACK_MS: u64 = 300_000;

/// Whether a key of the sender may still speak for it (D24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Active,
    /// Replaced within the last 30 days.
    Retired,
    /// Revoked within the last 30 days, and not as compromised: it speaks for what is from before.
    Revoked {
        at_ms: u64,
    },
    /// Replaced or revoked before that.
    RetiredTooLong,
    Compromised,
    /// Somebody here decided against it (D25).
    Rejected,
}

impl Standing {
    /// Whether the key may speak for what its owner says was written at that time.
    pub(crate) fn check(self, timestamp_ms: u64) -> Result<(), Refusal> {
        match self {
            Self::Compromised => Err(Refusal::CompromisedKey),
            Self::RetiredTooLong => Err(Refusal::RetiredKeyExpired),
            Self::Rejected => Err(Refusal::RejectedKey),
            Self::Revoked { at_ms } if timestamp_ms > at_ms.saturating_add(CLOCK_SLACK_MS) => {
                Err(Refusal::RevokedKey)
            }
            Self::Active | Self::Retired | Self::Revoked { .. } => Ok(()),
        }
    }
}
