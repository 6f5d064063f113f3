//! A new epoch: another key for all who remain, once somebody has gone or has another key of its own (D16).

use connect_core::case::control::Control;
use connect_core::case::rules::check_number;
use connect_core::message::Payload;
use connect_core::secret::CaseKey;
use connect_proto::ids::{CaseId, UserId};
use connect_store::cases::{self, Case, keys};

use super::{revise, share, write};
use crate::error::Error;
use crate::journal::Journal;

/// Begins an epoch with a revision that names it: the shares first, then the revision itself, under the epoch before.
pub(crate) async fn begin(
    journal: &mut Journal,
    case: &Case,
    before: &Control,
    next: Control,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let key = CaseKey::generate(&mut journal.unlocked().chance.clone());
    let new = (next.epoch, &key);
    keys::add(journal.tx(), case.row, new, &next.digest(), &me).await?;
    revise::put_in_force(journal, case, &next, &me, None).await?;
    for one in next.roster.iter().filter(|one| one.user_id != me) {
        share::queue(journal, case, &next, &one.user_id, None).await?;
    }
    let readers = write::readers(journal, &[before, &next]).await?;
    write::queue(journal, case, &Payload::CaseControl(next), &readers).await?;
    Ok(())
}

/// As `begin`, with the same people. Without the key of the epoch before nothing can be written here: then the epoch is due
/// until a share brings it, and no page waits for that.
pub(crate) async fn begin_for_the_same(
    journal: &mut Journal,
    case: &Case,
    before: &Control,
) -> Result<(), Error> {
    let Some(mut next) = before.next() else {
        tracing::warn!("a case has as many revisions as it may have");
        return Ok(());
    };
    next.epoch = before.epoch.saturating_add(1);
    if check_number(next.epoch).is_err() {
        tracing::warn!("a case has as many epochs as it may have");
        return Ok(());
    }
    let writing = keys::find_for_writing(journal.tx(), case.row, &before.digest()).await?;
    if writing.is_none() {
        tracing::warn!("a case has no new epoch yet: the key of this one did not come");
        cases::set_epoch_due(journal.tx(), case.row, Some(before.epoch)).await?;
        return Ok(());
    }
    begin(journal, case, before, next).await
}

/// Begins what is due where its key has come; whoever began another epoch meanwhile has settled it.
pub(crate) async fn begin_what_is_due(journal: &mut Journal, case_id: CaseId) -> Result<(), Error> {
    let Some(case) = cases::find_in(journal.tx(), case_id).await? else {
        return Ok(());
    };
    let (Some(due), Some((control, _))) = (case.epoch_due, &case.control) else {
        return Ok(());
    };
    cases::set_epoch_due(journal.tx(), case.row, None).await?;
    let is_settled = control.epoch != due || case.left_ms.is_some() || control.closed;
    if !is_settled {
        begin_for_the_same(journal, &case, control).await?;
    }
    Ok(())
}

/// A contact has another key, or none any more: whoever has the old one reads nothing that is written from now on. One
/// participant sees to it, so that not all do.
pub(crate) async fn follow_key_change(journal: &mut Journal, user: &UserId) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    for case in cases::list_open(journal.tx()).await? {
        let Some((control, _)) = &case.control else {
            continue;
        };
        if control.has(user) && control.steward(user) == Some(&me) {
            begin_for_the_same(journal, &case, control).await?;
        }
    }
    Ok(())
}
