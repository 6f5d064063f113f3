//! What of ours was on its way when somebody joined: it is in no history, and was not sealed for whoever that was.

use connect_core::case::control::Control;
use connect_proto::ids::UserId;
use connect_store::cases::Case;
use connect_store::outgoing;

use super::write;
use crate::error::Error;
use crate::journal::Journal;

/// How long before a revision was written something may have been on its way to its author.
const ON_ITS_WAY_MS: u64 = 3_600_000;
/// Entries that somebody who joined gets at most; what is missing after that is asked for (D13).
const MOST: u32 = 500;

/// Sends whoever joined by another's revision what of ours its author may not have had when making the history; what is there
/// already is no news.
pub(crate) async fn those_who_joined(
    journal: &mut Journal,
    case: &Case,
    (before, next): (&Control, &Control),
    (author, written_ms): (&UserId, u64),
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    if !before.has(&me) || !next.has(&me) {
        return Ok(());
    }
    let joined = next.roster.iter().map(|one| &one.user_id);
    let joined: Vec<UserId> = joined.filter(|user| !before.has(user)).cloned().collect();
    if joined.is_empty() {
        return Ok(());
    }
    let since_ms = written_ms
        .min(journal.now_ms())
        .saturating_sub(ON_ITS_WAY_MS);
    let freights =
        outgoing::list_in_flight(journal.tx(), (case.conversation, author), since_ms, MOST).await?;
    for (user, hold) in write::with_holds(journal, joined).await? {
        for freight in &freights {
            journal
                .queue_again(case.conversation, Some(&user), *freight, hold)
                .await?;
        }
    }
    Ok(())
}
