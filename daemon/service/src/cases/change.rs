//! Who is in a case: somebody is added, taken out or leaves; and its end (D16).

use std::sync::Arc;

use connect_core::case::control::{Control, MAX_PARTICIPANTS, Participant, Role};
use connect_core::case::rules::check_number;
use connect_core::message::Payload;
use connect_proto::ids::{CaseId, UserId};
use connect_store::cases::{self, Case, due};

use super::create::check_contact;

use crate::casework::{epochs, revise, share, write};
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// Somebody may have brought the account into one that is at its last revision.
fn next_of(before: &Control) -> Result<Control, Error> {
    before
        .next()
        .ok_or(Error::invalid("case", Reason::OutOfRange))
}

/// Adds a contact, who reads everything from the start. Whoever is in it already stays.
pub async fn add(unlocked: &Arc<Unlocked>, case_id: CaseId, user: &UserId) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let (case, before) = write::find_open(&mut journal, case_id).await?;
    if before.has(user) {
        return Ok(());
    }
    check_contact(&mut journal, user).await?;
    if before.roster.len() >= MAX_PARTICIPANTS {
        return Err(Error::invalid("user_id", Reason::OutOfRange));
    }
    let mut next = next_of(&before)?;
    next.roster.push(Participant {
        user_id: user.clone(),
        role: Role::Member,
    });
    next.roster
        .sort_by(|one, other| one.user_id.cmp(&other.user_id));
    let me = unlocked.user_id().clone();
    revise::put_in_force(&mut journal, &case, &next, &me, None).await?;
    share::queue(&mut journal, &case, &next, user, None).await?;
    // The history is brought to the relay first, and its place follows in a share of its own.
    due::add(journal.tx(), case.row, user, true).await?;
    announce(&mut journal, &case, &before, next).await?;
    Ok(journal.commit().await?)
}

/// Takes a participant out: it keeps what it has read, and reads nothing that is written from now on.
pub async fn remove(unlocked: &Arc<Unlocked>, case_id: CaseId, user: &UserId) -> Result<(), Error> {
    if user == unlocked.user_id() {
        return leave(unlocked, case_id).await;
    }
    let mut journal = Journal::begin(unlocked).await?;
    let (case, before) = write::find_open(&mut journal, case_id).await?;
    check_admin(&before, unlocked.user_id())?;
    if !before.has(user) {
        return Err(Error::NotFound);
    }
    let mut next = next_of(&before)?;
    next.roster.retain(|one| one.user_id != *user);
    next.epoch = before.epoch.saturating_add(1);
    if check_number(next.epoch).is_err() {
        return Err(Error::invalid("case", Reason::OutOfRange));
    }
    epochs::begin(&mut journal, &case, &before, next).await?;
    Ok(journal.commit().await?)
}

/// Takes part no more. What was read until now stays readable here.
pub async fn leave(unlocked: &Arc<Unlocked>, case_id: CaseId) -> Result<(), Error> {
    let me = unlocked.user_id().clone();
    let mut journal = Journal::begin(unlocked).await?;
    let (case, before) = write::find_open(&mut journal, case_id).await?;
    let mut next = next_of(&before)?;
    next.roster.retain(|one| one.user_id != me);
    revise::put_in_force(&mut journal, &case, &next, &me, None).await?;
    announce(&mut journal, &case, &before, next).await?;
    Ok(journal.commit().await?)
}

/// Ends the case: everybody goes on reading it, and nobody writes into it any more.
pub async fn close(unlocked: &Arc<Unlocked>, case_id: CaseId) -> Result<(), Error> {
    let me = unlocked.user_id().clone();
    let mut journal = Journal::begin(unlocked).await?;
    let (case, before) = write::find_open(&mut journal, case_id).await?;
    check_admin(&before, &me)?;
    let mut next = next_of(&before)?;
    next.closed = true;
    revise::put_in_force(&mut journal, &case, &next, &me, None).await?;
    announce(&mut journal, &case, &before, next).await?;
    Ok(journal.commit().await?)
}

fn check_admin(control: &Control, user: &UserId) -> Result<(), Error> {
    match control.role_of(user) {
        Some(Role::Admin) => Ok(()),
        Some(Role::Member) => Err(Error::invalid("case", Reason::NotAnAdmin)),
        None => Err(Error::NotAParticipant),
    }
}

/// To all who were in it or are now.
async fn announce(
    journal: &mut Journal,
    case: &Case,
    before: &Control,
    next: Control,
) -> Result<(), Error> {
    let readers = write::readers(journal, &[before, &next]).await?;
    write::queue(journal, case, &Payload::CaseControl(next), &readers).await?;
    Ok(())
}

/// Whether there is such a case, whatever became of it.
pub(crate) async fn find(unlocked: &Unlocked, case_id: CaseId) -> Result<Case, Error> {
    let case = cases::find(&unlocked.store, case_id).await?;
    case.filter(|case| case.control.is_some())
        .ok_or(Error::NotFound)
}
