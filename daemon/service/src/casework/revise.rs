//! What follows from a revision of a case that came into force, ours or another's.

use connect_core::case::control::Control;
use connect_proto::ids::{CaseId, UserId};
use connect_store::cases::controls::NewControl;
use connect_store::cases::{self, Case, controls, copying, history};
use connect_store::codes::EventKind;
use connect_store::events::NewEvent;
use connect_store::outbox;

use crate::error::Error;
use crate::journal::Journal;

/// Stores a revision, puts it in force and tells of it. `introduced_by` is by whose word it brings the account in, where it
/// does: that user's keys count with it, and the history is theirs.
pub(crate) async fn put_in_force(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
    author: &UserId,
    introduced_by: Option<&UserId>,
) -> Result<(), Error> {
    let now_ms = journal.now_ms();
    let me = journal.unlocked().user_id().clone();
    let new = NewControl {
        control,
        author,
        introduced_by,
        stored_ms: now_ms,
    };
    controls::add(journal.tx(), case.row, new).await?;
    controls::put_in_force(journal.tx(), case.row, control, now_ms).await?;
    let left_ms = (!control.has(&me)).then_some(now_ms);
    cases::set_left(journal.tx(), case.row, left_ms).await?;
    if let Some(by) = introduced_by {
        cases::introduce(journal.tx(), case.row, by).await?;
        history::accept(journal.tx(), case.row).await?;
    }
    if left_ms.is_none() {
        withdraw_copies(journal, case, control).await?;
    }
    let epoch_before = case.control.as_ref().map(|(before, _)| before.epoch);
    if epoch_before.is_some_and(|epoch| epoch != control.epoch) {
        // What waits goes out under the new epoch's key.
        outbox::reseal_of(journal.tx(), case.conversation).await?;
    }
    // Whoever is in it and no contact is looked up, and the history fetched.
    journal.afterwards(|unlocked| unlocked.case_wake.notify_one());
    tell(journal, case, control, author, EventKind::CaseChanged).await
}

/// Copies of files for whoever is out by now go.
async fn withdraw_copies(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
) -> Result<(), Error> {
    for user in copying::list_readers(journal.tx(), case.row).await? {
        if !control.has(&user) {
            copying::withdraw(journal.tx(), case.row, &user).await?;
            journal.afterwards(|unlocked| unlocked.copies_wake.notify_one());
        }
    }
    Ok(())
}

pub(crate) async fn tell(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
    author: &UserId,
    kind: EventKind,
) -> Result<(), Error> {
    let event = NewEvent {
        conversation: Some(case.conversation),
        user_id: Some(author.as_str()),
        range: Some((control.revision, control.epoch.into())),
        ..NewEvent::of(kind, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// Tells of the revision in force once more: something else of the case is other than before.
pub(crate) async fn tell_as_it_is(journal: &mut Journal, case_id: CaseId) -> Result<(), Error> {
    let case = cases::find_in(journal.tx(), case_id).await?;
    if let Some(case) = case
        && let Some((control, author)) = &case.control
    {
        tell(journal, &case, control, author, EventKind::CaseChanged).await?;
    }
    Ok(())
}

/// Tells of a field, or that there are two of one revision.
pub(crate) async fn tell_of_field(
    journal: &mut Journal,
    case: &Case,
    (name, revision): (&str, u64),
    author: &UserId,
    kind: EventKind,
) -> Result<(), Error> {
    let event = NewEvent {
        conversation: Some(case.conversation),
        user_id: Some(author.as_str()),
        range: Some((revision, revision)),
        name: Some(name),
        ..NewEvent::of(kind, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}
