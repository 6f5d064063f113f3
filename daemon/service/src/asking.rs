//! Asking for what did not come, and sending once more what did not come elsewhere (D13).

use std::collections::BTreeSet;
use std::sync::Arc;

use connect_core::message::{MessageRef, Payload};
use connect_store::cases;
use connect_store::contacts::{self, Contact};
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::order::{self, Due};
use connect_store::outbox::Freight;
use connect_store::outgoing::{self, Numbered};
use connect_store::{groups, recipients};

use crate::audience;
use crate::controls::{self, Order};
use crate::error::Error;
use crate::journal::Journal;
use crate::roster;
use crate::seal::hold_reason;
use crate::unlocked::Unlocked;

/// How long a message may be on another way before it is asked for (D13).
const PATIENCE_MS: u64 = 60_000;
/// How long an answer may take before it is asked for again.
pub(crate) const AGAIN_MS: u64 = 3_600_000;
pub(crate) const MOST_TIMES: u32 = 5;
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
    let Some(contact) = contacts::find_in(journal.tx(), &gap.sender)
        .await?
        .filter(|contact| !contact.blocked)
    else {
        return Ok(());
    };
    let side = |(message_id, timestamp_ms)| MessageRef {
        sender: gap.sender.clone(),
        message_id,
        timestamp_ms,
    };
    let request = Payload::ResendRequest(vec![side(gap.before), side(gap.after)]);
    let audience = audience::author(journal, &gap.conversation, &contact).await?;
    controls::queue(journal, &audience, Order::Aside, &request).await?;
    Ok(())
}

/// Queues once more what a contact asks for, under the key that it has now: two references are the ends of a range, the
/// same one twice is everything up to it, and others are what they name.
pub(crate) async fn answer(
    journal: &mut Journal,
    contact: &Contact,
    (named, conversation): (&Conversation, ConversationRow),
    asked: &[MessageRef],
) -> Result<(), Error> {
    if let Some((case, row)) = in_a_case(journal, contact, asked).await?
        && row != conversation
    {
        return Box::pin(answer(journal, contact, (&case, row), asked)).await;
    }
    let me = journal.unlocked().user_id().clone();
    // Whoever was taken out may have had some of it, and is not to learn how it went on.
    if let Conversation::Group(group_id) = named
        && let Some(group) = groups::find_in(journal.tx(), *group_id).await?
        && group.member(&contact.user_id).is_none()
    {
        return Ok(());
    }
    if let Conversation::User(_) = named {
        answer_of_rosters(journal, contact, conversation, asked).await?;
    }
    let mut sequences = Vec::with_capacity(asked.len());
    for reference in asked.iter().filter(|reference| reference.sender == me) {
        let id = reference.message_id;
        sequences.extend(outgoing::find_sequence(journal.tx(), conversation, &me, id).await?);
    }
    let from = |numbered: Numbered, sequence| Numbered {
        sequence,
        ..numbered
    };
    let ranges = match sequences[..] {
        [only, again] if only == again => vec![(from(only, 1), only.sequence)],
        // The two ends of a gap are of one installation.
        [one, other] if one.installation_id == other.installation_id => {
            let (first, last) = (one.sequence, other.sequence);
            vec![(from(one, first.min(last)), first.max(last))]
        }
        _ => {
            // In the order in which they were written, whatever the order in which they were asked for.
            sequences.sort_unstable_by_key(|one| (one.installation_id, one.sequence));
            sequences.dedup();
            sequences.iter().map(|one| (*one, one.sequence)).collect()
        }
    };
    let hold = hold_reason(contact);
    let member = Some(&contact.user_id).filter(|_| !matches!(named, Conversation::User(_)));
    // Whoever takes part in a case reads it from its start, whoever was written to then (D16).
    let had_it = member.filter(|_| !matches!(named, Conversation::Case(_)));
    let mut left = MOST_SENT;
    for (first, last) in ranges {
        let freights =
            outgoing::list_range(journal.tx(), conversation, had_it, first, last, left).await?;
        left = left.saturating_sub(u32::try_from(freights.len()).unwrap_or(u32::MAX));
        for freight in freights {
            journal
                .queue_again(conversation, member, freight, hold)
                .await?;
        }
    }
    Ok(())
}

/// What somebody missed in a case is asked for from one to the other (D164). None where it is no case, or not one of whoever
/// asks.
async fn in_a_case(
    journal: &mut Journal,
    contact: &Contact,
    asked: &[MessageRef],
) -> Result<Option<(Conversation, ConversationRow)>, Error> {
    let me = journal.unlocked().user_id().clone();
    let Some(first) = asked.iter().find(|reference| reference.sender == me) else {
        return Ok(None);
    };
    let Some(row) = outgoing::find_conversation(journal.tx(), &me, first.message_id).await? else {
        return Ok(None);
    };
    let named = conversations::find_named(journal.tx(), row).await?;
    let Conversation::Case(case_id) = named else {
        return Ok(None);
    };
    let case = cases::find_in(journal.tx(), case_id).await?;
    let takes_part = case
        .and_then(|case| case.control)
        .is_some_and(|(control, _)| control.has(&contact.user_id));
    Ok(takes_part.then_some((named, row)))
}

/// Whoever could not open a message does not know where it was said: what a group's member asks for goes there, after the
/// roster that it may lack.
async fn answer_of_rosters(
    journal: &mut Journal,
    contact: &Contact,
    conversation: ConversationRow,
    asked: &[MessageRef],
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let hold = hold_reason(contact);
    let mut told = BTreeSet::new();
    for reference in asked.iter().filter(|reference| reference.sender == me) {
        let id = reference.message_id;
        let found = outgoing::find_anywhere(journal.tx(), &me, id).await?;
        let Some((elsewhere, freight)) = found.filter(|(row, _)| *row != conversation) else {
            continue;
        };
        let named = conversations::find_named(journal.tx(), elsewhere).await?;
        let Conversation::Group(group_id) = named else {
            continue;
        };
        let Some(group) = groups::find_in(journal.tx(), group_id).await? else {
            continue;
        };
        let had_it = match freight {
            Freight::Message(row) => recipients::list(journal.tx(), row)
                .await?
                .iter()
                .any(|recipient| recipient.user_id == contact.user_id),
            Freight::Control(_) => true,
        };
        if group.member(&contact.user_id).is_none() || !had_it {
            continue;
        }
        if told.insert(group_id) {
            roster::bring_up(journal, &group, &contact.user_id, group.revision - 1).await?;
        }
        let member = Some(&contact.user_id);
        journal
            .queue_again(elsewhere, member, freight, hold)
            .await?;
    }
    Ok(())
}
