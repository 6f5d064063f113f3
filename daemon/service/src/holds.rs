//! What waits for a decision about its recipient's key, and goes out with it (D20, D25).

use connect_store::codes::{RecipientState, StateReason};
use connect_store::contacts::Contact;
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::outbox;

use crate::error::Error;
use crate::journal::Journal;
use crate::seal::hold_reason;

/// Called with every change of a contact, in its transaction: what is queued for it waits, or goes out under the new
/// key.
pub(crate) async fn follow_contact(journal: &mut Journal, contact: &Contact) -> Result<(), Error> {
    let conversation = Conversation::User(contact.user_id.clone());
    let Some(row) = conversations::find_in(journal.tx(), &conversation).await? else {
        return Ok(());
    };
    match hold_reason(contact) {
        Some(reason) => hold(journal, row, contact, reason).await,
        None => release(journal, row, contact).await,
    }
}

pub(crate) async fn hold(
    journal: &mut Journal,
    conversation: ConversationRow,
    contact: &Contact,
    reason: StateReason,
) -> Result<(), Error> {
    for sent in outbox::hold_all(journal.tx(), conversation, reason).await? {
        journal
            .move_recipient(&sent, &contact.user_id, RecipientState::Held, Some(reason))
            .await?;
    }
    recount(journal).await
}

async fn release(
    journal: &mut Journal,
    conversation: ConversationRow,
    contact: &Contact,
) -> Result<(), Error> {
    for sent in outbox::release_all(journal.tx(), conversation).await? {
        journal
            .move_recipient(&sent, &contact.user_id, RecipientState::Queued, None)
            .await?;
    }
    recount(journal).await
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
