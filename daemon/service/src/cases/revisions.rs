//! A revision of a case that came in: held against those that are here, and put in force where it is the newest (D16).

use std::cmp::Reverse;

use connect_core::case::control::{Control, Role};
use connect_core::case::rules::check_number;
use connect_core::refusal::Refusal;
use connect_core::signed::open::Opened;
use connect_proto::ids::UserId;
use connect_store::cases::controls::NewControl;
use connect_store::cases::{self, Case, controls, shares};
use connect_store::codes::EventKind;
use connect_store::received::Stored;

use super::take::{Taken, note, settled};
use crate::casework::fork::Fork;
use crate::casework::{catch_up, epochs, revise};
use crate::error::Error;
use crate::journal::Journal;

/// Revisions that whoever brought the account in may have added to that one alone, and still bring it in anew.
const LONGEST_ALONE: usize = 64;

/// What a revision is to this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Follows,
    /// It brings the account in, by its author's word.
    Introduces,
}

/// Of two revisions with one number every participant takes the same, whichever came first: that with the lower digest.
pub(super) async fn take(
    journal: &mut Journal,
    case: &Case,
    opened: &Opened,
    control: &Control,
) -> Result<Taken, Error> {
    let digest = control.digest();
    let author = &opened.sender;
    if controls::find(journal.tx(), case.row, &digest)
        .await?
        .is_some()
    {
        let stored = note(journal, case, opened).await?;
        return Ok(settled(stored, case, opened));
    }
    let allowed = match check(journal, case, control, author).await? {
        Ok(allowed) => allowed,
        Err(refusal) => return Ok(refusal.into()),
    };
    let stored = note(journal, case, opened).await?;
    if stored != Stored::New {
        return Ok(settled(stored, case, opened));
    }
    let introduced_by = (allowed == Allowed::Introduces).then_some(author);
    let Some((current, current_by)) = &case.control else {
        revise::put_in_force(journal, case, control, author, introduced_by).await?;
        return Ok(Taken::Well(None));
    };
    let is_beside = control.previous != Some(current.digest());
    let is_newer =
        (control.revision, Reverse(digest)) > (current.revision, Reverse(current.digest()));
    if is_newer {
        revise::put_in_force(journal, case, control, author, introduced_by).await?;
        let by = (author, opened.timestamp_ms);
        catch_up::those_who_joined(journal, case, (current, control), by).await?;
        follow_leaver(journal, case, control, author).await?;
        if is_beside {
            let fork = Fork::find(journal, case, (current, current_by), (control, author)).await?;
            fork.begin_again(journal, case).await?;
            fork.tell_those_left_behind(journal, case).await?;
        }
    } else {
        let new = NewControl {
            control,
            author,
            introduced_by,
            stored_ms: journal.now_ms(),
        };
        controls::add(journal.tx(), case.row, new).await?;
        let fork = Fork::find(journal, case, (control, author), (current, current_by)).await?;
        fork.tell_those_left_behind(journal, case).await?;
    }
    if is_beside && case.left_ms.is_none() {
        revise::tell(journal, case, control, author, EventKind::CaseConflict).await?;
    }
    Ok(Taken::Well(None))
}

async fn check(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
    author: &UserId,
) -> Result<Result<Allowed, Refusal>, Error> {
    if let Err(refusal) = check_number(control.epoch) {
        return Ok(Err(refusal));
    }
    let me = journal.unlocked().user_id().clone();
    let is_for_me = control.has(&me);
    let before = match &control.previous {
        Some(digest) => controls::find(journal.tx(), case.row, digest).await?,
        None => None,
    };
    if let Some(before) = before {
        let allowed = before.check_next(control, author);
        let allowed = allowed.and_then(|()| check_since(case, &before, author));
        // One that follows on what we took part in goes on with the keys of that, whatever took us out beside it.
        let brings_in = is_for_me && !before.has(&me);
        return Ok(allowed.map(|()| {
            if brings_in {
                Allowed::Introduces
            } else {
                Allowed::Follows
            }
        }));
    }
    // Whoever joins knows none before it, and has the word of who wrote it and shared the keys with it.
    let digest = control.digest();
    let is_out = case.control.is_none() || case.left_ms.is_some();
    let has_keys = shares::has(journal.tx(), case.row, author, &digest).await?;
    if !has_keys || !is_out && !stands_alone(journal, case, author).await? {
        return Ok(Err(Refusal::BrokenControlChain));
    }
    Ok(check_introduction(case, control, author, is_for_me))
}

/// Whether the account is where this author alone has brought it: the revision may have lost its place to one beside it, of
/// which nobody can tell whoever joined by it. Once somebody else has written on it, it did not.
async fn stands_alone(journal: &mut Journal, case: &Case, author: &UserId) -> Result<bool, Error> {
    if case.introduced_by.as_ref() != Some(author) {
        return Ok(false);
    }
    let me = journal.unlocked().user_id().clone();
    let mut at = case.control.clone();
    for _ in 0..LONGEST_ALONE {
        let Some((control, _)) = at.filter(|(_, by)| by == author) else {
            return Ok(false);
        };
        let before = match &control.previous {
            Some(digest) => controls::find_authored(journal.tx(), case.row, digest).await?,
            None => None,
        };
        at = before.filter(|(before, _)| before.has(&me));
        if at.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_introduction(
    case: &Case,
    control: &Control,
    author: &UserId,
    is_for_me: bool,
) -> Result<Allowed, Refusal> {
    if let Some((last, _)) = &case.control {
        // Whoever was not in it when we left it has no say in whether we are in it again.
        if !last.has(author) {
            return Err(Refusal::NotAParticipant);
        }
        if control.revision <= last.revision {
            return Err(Refusal::BrokenControlChain);
        }
    } else if control.previous.is_none() {
        return control.check_first(author).map(|()| Allowed::Follows);
    }
    if control.has(author) && is_for_me {
        Ok(Allowed::Introduces)
    } else {
        Err(Refusal::NotAParticipant)
    }
}

/// Whoever was taken out, or is no admin any more, by what came since has no say in what follows on something older. So it
/// is too where we are out ourselves: by the last that is known here.
fn check_since(case: &Case, before: &Control, author: &UserId) -> Result<(), Refusal> {
    let Some((current, _)) = case.control.as_ref() else {
        return Ok(());
    };
    if current.digest() == before.digest() {
        return Ok(());
    }
    match (before.role_of(author), current.role_of(author)) {
        (_, None) => Err(Refusal::NotAParticipant),
        (Some(Role::Admin), Some(Role::Member)) => Err(Refusal::NotAllowed),
        _ => Ok(()),
    }
}

/// Whoever leaves cannot make the key that it is not to have: one of those who remain does.
async fn follow_leaver(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
    author: &UserId,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    if control.has(author) || control.closed || control.steward(author) != Some(&me) {
        return Ok(());
    }
    let Some(now) = cases::find_in(journal.tx(), case.case_id).await? else {
        return Ok(());
    };
    epochs::begin_for_the_same(journal, &now, control).await
}
