//! The clock is not believed at once: after a leap ahead nothing is given up for a day.
//!
//! A clock that shows next month would otherwise expire every mailbox at the next sweep, and one that shows the next
//! hour would make the relay forget nonces which are good again once the clock is corrected. A relay that was off for a
//! month looks just the same, and there a day lets the readers fetch what waited for them.

use sqlx::Row as _;

use super::writer::Tx;
use super::{signed, unsigned};
use crate::limits::{DAY_MS, NONCE_MARGIN_MS};

const HOLD_MS: u64 = DAY_MS;
/// As far as a daemon follows the relay's clock (D30); so much too early a message may expire.
const ENVELOPE_LEAP_MS: u64 = DAY_MS;

/// What a sweep may remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) nonces: bool,
    /// Envelopes, the memory of those that were delivered, and attachments.
    pub(super) envelopes: bool,
}

/// Notes the time, and tells what its course since the last sweep lets expire.
pub(super) async fn note(tx: &mut Tx, now_ms: u64) -> Result<Due, sqlx::Error> {
    let row = sqlx::query(
        "SELECT seen_ms, nonces_held_until_ms, envelopes_held_until_ms FROM clock WHERE id = 1",
    )
    .fetch_optional(&mut tx.connection)
    .await?;
    let (seen_ms, nonces, envelopes) = match row {
        Some(row) => (
            unsigned(row.try_get(0)?),
            unsigned(row.try_get(1)?),
            unsigned(row.try_get(2)?),
        ),
        None => (now_ms, 0, 0),
    };
    let leap_ms = now_ms.saturating_sub(seen_ms);
    if leap_ms > ENVELOPE_LEAP_MS {
        tracing::warn!(
            seconds = leap_ms / 1_000,
            "the clock leapt ahead, or the relay was off: nothing expires for a day"
        );
    }
    let nonces = held_until(nonces, leap_ms > NONCE_MARGIN_MS, now_ms);
    let envelopes = held_until(envelopes, leap_ms > ENVELOPE_LEAP_MS, now_ms);
    sqlx::query(
        "INSERT INTO clock (id, seen_ms, nonces_held_until_ms, envelopes_held_until_ms) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET seen_ms = ?1, nonces_held_until_ms = ?2, envelopes_held_until_ms = ?3",
    )
    .bind(signed(now_ms))
    .bind(signed(nonces))
    .bind(signed(envelopes))
    .execute(&mut tx.connection)
    .await?;
    Ok(Due {
        nonces: nonces <= now_ms,
        envelopes: envelopes <= now_ms,
    })
}

/// A clock that was set back must not leave a hold of a month behind.
fn held_until(until_ms: u64, leapt: bool, now_ms: u64) -> u64 {
    let a_day_on = now_ms.saturating_add(HOLD_MS);
    if leapt {
        a_day_on
    } else {
        until_ms.min(a_day_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_lasts_a_day_whatever_the_clock_does() {
        assert_eq!(held_until(0, false, 5), 0);
        assert_eq!(held_until(0, true, 5), 5 + HOLD_MS);
        assert_eq!(held_until(40 * DAY_MS, false, 39 * DAY_MS), 40 * DAY_MS);
        assert_eq!(held_until(40 * DAY_MS, false, 5), 5 + HOLD_MS);
    }
}
