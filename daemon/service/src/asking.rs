//! Asking for what did not come, and sending once more what did not come elsewhere (D13).

use std::sync::Arc;

use connect_core::message::{MessageRef, Payload};
use connect_store::contacts::{self, Contact};
use connect_store::conversations::{Conversation, ConversationRow};
use connect_store::order::{self, Due};
use connect_store::outgoing;

use crate::controls;
use crate::error::Error;
use crate::journal::Journal;
use crate::seal::hold_reason;
use crate::unlocked::Unlocked;

/// How long a message may be on another way before it is asked for (D13).
const PATIENCE_MS: u64 = 60_000;
/// How long an answer may take before it is asked for again.
const AGAIN_MS: u64 = 3_600_000;
const MOST_TIMES: u32 = 5;
/// Gaps that are asked about in one transaction.
const AT_ONCE: u32 = 20;
/// Messages that one request brings at most.
const MOST_SENT: u32 = 500;

/// Asks for what has been missing for a while. Nothing is read where nothing is missing.
pub(crate) async fn ask_for_missing(unlocked: &Arc<Unlocked>) -> Result<(), Error> {
    if unlocked.counters.missing() == 0 {
        return Ok(());
    }
    let mut journal = Journal::begin(unlocked).await?;
    let now_ms = journal.now_ms();
    let due = order::find_due(
        journal.tx(),
        now_ms,
        order::Patience {
            noticed_ms: PATIENCE_MS,
            asked_ms: AGAIN_MS,
            most_times: MOST_TIMES,
        },
        AT_ONCE,
    )
    .await?;
    for gap in &due {
        ask(&mut journal, gap).await?;
    }
    if due.is_empty() {
        return Ok(());
    }
    Ok(journal.commit().await?)
}

async fn ask(journal: &mut Journal, gap: &Due) -> Result<(), Error> {
    let now_ms = journal.now_ms();
    order::note_asked(journal.tx(), gap.gap, now_ms).await?;
    let Conversation::User(_) = &gap.conversation else {
        return Ok(());
    };
    let Some(contact) = contacts::find_in(journal.tx(), &gap.sender).await? else {
        return Ok(());
    };
    let side = |(message_id, timestamp_ms)| MessageRef {
        sender: gap.sender.clone(),
        message_id,
        timestamp_ms,
    };
    let request = Payload::ResendRequest(vec![side(gap.before), side(gap.after)]);
    controls::queue(journal, &contact, &request).await?;
    Ok(())
}

/// Queues once more what a contact asks for, under the key that it has now: two references are the ends of a range, the
/// same one twice is everything up to it, and others are what they name.
pub(crate) async fn answer(
    journal: &mut Journal,
    contact: &Contact,
    conversation: ConversationRow,
    asked: &[MessageRef],
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let mut sequences = Vec::with_capacity(asked.len());
    for reference in asked.iter().filter(|reference| reference.sender == me) {
        let id = reference.message_id;
        sequences.extend(outgoing::find_sequence(journal.tx(), conversation, &me, id).await?);
    }
    let ranges = match sequences[..] {
        [only, again] if only == again => vec![(1, only)],
        [one, other] => vec![(one.min(other), one.max(other))],
        _ => sequences.iter().map(|one| (*one, *one)).collect(),
    };
    let hold = hold_reason(contact);
    let mut left = MOST_SENT;
    for (first, last) in ranges {
        let freights = outgoing::list_range(journal.tx(), conversation, first, last, left).await?;
        left = left.saturating_sub(u32::try_from(freights.len()).unwrap_or(u32::MAX));
        for freight in freights {
            journal.queue_again(conversation, freight, hold).await?;
        }
    }
    Ok(())
}
