//! What waits for a decision about its recipient's key, and goes out with it (D20, D25).

use connect_proto::ids::UserId;
use connect_store::codes::{RecipientState, StateReason};
use connect_store::contacts::Contact;
use connect_store::conversations::ConversationRow;
use connect_store::lanes::{self, Lane};
use connect_store::outbox::{self, Queued};
use connect_store::parting;

use crate::error::Error;
use crate::journal::Journal;
use crate::seal::hold_reason;

/// Called with every change of a contact, in its transaction: what is queued for it waits, or goes out under the new
/// key. What goes to others as well does not wait for them.
/// Returns how much of it is held.
pub(crate) async fn follow_contact(journal: &mut Journal, contact: &Contact) -> Result<u64, Error> {
    let reason = hold_reason(contact);
    for row in parting::list_with(journal.tx(), None, &contact.user_id).await? {
        match reason {
            Some(_) => {
                let alone = std::slice::from_ref(&contact.user_id);
                parting::part(journal.tx(), row, alone).await?;
            }
            None => parting::make_stale(journal.tx(), row).await?,
        }
    }
    let mut held = 0;
    for lane in lanes::list_of(journal.tx(), &contact.user_id).await? {
        match reason {
            Some(reason) => hold_lane(journal, lane, &contact.user_id, reason).await?,
            None => release(journal, lane, &contact.user_id).await?,
        }
        held += outbox::count_held_in(journal.tx(), lane).await?;
    }
    recount(journal).await?;
    Ok(held)
}

/// Somebody decided against the key: what waits for the contact fails.
pub(crate) async fn give_up(journal: &mut Journal, contact: &Contact) -> Result<(), Error> {
    let alone = std::slice::from_ref(&contact.user_id);
    for row in parting::list_with(journal.tx(), None, &contact.user_id).await? {
        parting::part(journal.tx(), row, alone).await?;
    }
    let reason = Some(StateReason::KeyRejected);
    for lane in lanes::list_of(journal.tx(), &contact.user_id).await? {
        for sent in outbox::remove_all(journal.tx(), lane).await? {
            journal
                .move_recipient(&sent, &contact.user_id, RecipientState::Failed, reason)
                .await?;
        }
    }
    recount(journal).await
}

/// Somebody is no member any more: nothing of what waits there goes to them.
pub(crate) async fn drop_member(
    journal: &mut Journal,
    conversation: ConversationRow,
    user_id: &UserId,
) -> Result<(), Error> {
    let alone = std::slice::from_ref(user_id);
    for row in parting::list_with(journal.tx(), Some(conversation), user_id).await? {
        parting::part(journal.tx(), row, alone).await?;
    }
    let lane = lanes::ensure(journal.tx(), conversation, user_id).await?;
    for sent in outbox::remove_all(journal.tx(), lane).await? {
        let reason = Some(StateReason::NotAMember);
        journal
            .move_recipient(&sent, user_id, RecipientState::Failed, reason)
            .await?;
    }
    recount(journal).await
}

/// What stands in one line for one user waits.
pub(crate) async fn hold(
    journal: &mut Journal,
    lane: Lane,
    user_id: &UserId,
    reason: StateReason,
) -> Result<(), Error> {
    hold_lane(journal, lane, user_id, reason).await?;
    recount(journal).await
}

/// Of what goes to several, these go on alone, and wait where they have to.
pub(crate) async fn part(
    journal: &mut Journal,
    queued: &Queued,
    waiting: &[(UserId, Option<StateReason>)],
) -> Result<(), Error> {
    let users: Vec<UserId> = waiting.iter().map(|(user, _)| user.clone()).collect();
    parting::part(journal.tx(), queued.row, &users).await?;
    for (user_id, reason) in waiting {
        if let Some(reason) = reason {
            let lane = lanes::ensure(journal.tx(), queued.conversation, user_id).await?;
            hold_lane(journal, lane, user_id, *reason).await?;
        }
    }
    recount(journal).await
}

async fn hold_lane(
    journal: &mut Journal,
    lane: Lane,
    user_id: &UserId,
    reason: StateReason,
) -> Result<(), Error> {
    for sent in outbox::hold_all(journal.tx(), lane, reason).await? {
        journal
            .move_recipient(&sent, user_id, RecipientState::Held, Some(reason))
            .await?;
    }
    Ok(())
}

async fn release(journal: &mut Journal, lane: Lane, user_id: &UserId) -> Result<(), Error> {
    for sent in outbox::release_all(journal.tx(), lane).await? {
        journal
            .move_recipient(&sent, user_id, RecipientState::Queued, None)
            .await?;
    }
    Ok(())
}

/// Many rows changed at once: they are counted anew.
async fn recount(journal: &mut Journal) -> Result<(), Error> {
    let (queued, held) = outbox::count(journal.tx()).await?;
    journal.afterwards(move |unlocked| {
        unlocked.counters.set_outbox(queued, held);
        unlocked.outbox_wake.notify_one();
    });
    Ok(())
}
