//! What of ours was on its way when somebody joined: it is in no history, and was not sealed for whoever that was.

use connect_core::case::control::Control;
use connect_core::case::rules::GRACE_MS;
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
/// Entries for all who joined by one revision, in the one transaction that takes it in.
const MOST_IN_ALL: u32 = 5_000;

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
    let now_ms = journal.now_ms();
    // The author may say any time.
    let since_ms = written_ms
        .min(now_ms)
        .saturating_sub(ON_ITS_WAY_MS)
        .max(now_ms.saturating_sub(GRACE_MS));
    let each = MOST_IN_ALL / u32::try_from(joined.len()).unwrap_or(MOST_IN_ALL);
    let most = each.clamp(1, MOST);
    let in_flight = (case.conversation, author);
    let freights = outgoing::list_in_flight(journal.tx(), in_flight, since_ms, most).await?;
    for (user, hold) in write::with_holds(journal, joined).await? {
        for freight in &freights {
            journal
                .queue_again(case.conversation, Some(&user), *freight, hold)
                .await?;
        }
    }
    Ok(())
}
