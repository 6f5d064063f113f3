//! Blocking a contact: nothing of theirs is taken in and nothing goes to them; what came meanwhile comes in afterwards.

use std::sync::Arc;

use connect_proto::ids::UserId;
use connect_store::contacts::{self, Contact};

use crate::aside::BLOCKED;
use crate::contacts::tell_changed;
use crate::error::Error;
use crate::journal::Journal;
use crate::readmission::{readmit_most, readmit_rest};
use crate::unlocked::Unlocked;

/// Blocks a contact, or unblocks it and takes in what was put aside; said again, it changes nothing.
pub async fn block(
    unlocked: &Arc<Unlocked>,
    user_id: &UserId,
    blocked: bool,
) -> Result<Contact, Error> {
    if !blocked {
        readmit_most(unlocked, user_id, BLOCKED, let_in).await?;
    }
    let mut journal = Journal::begin(unlocked).await?;
    let mut contact = known(&mut journal, user_id).await?;
    if !blocked {
        readmit_rest(&mut journal, &let_in(contact.clone()), BLOCKED).await?;
    }
    if contact.blocked != blocked {
        contacts::set_blocked(journal.tx(), user_id, blocked).await?;
        tell_changed(&mut journal, user_id).await?;
        contact.blocked = blocked;
    }
    journal.commit().await?;
    Ok(contact)
}

async fn known(journal: &mut Journal, user_id: &UserId) -> Result<Contact, Error> {
    contacts::find_in(journal.tx(), user_id)
        .await?
        .ok_or(Error::NotFound)
}

fn let_in(contact: Contact) -> Contact {
    Contact {
        blocked: false,
        ..contact
    }
}
