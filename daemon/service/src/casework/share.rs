//! The keys of a case to one participant, and from one (§3.6).

use std::sync::Arc;

use connect_core::attachment::Attachment;
use connect_core::case::control::Control;
use connect_core::case::rules::check_number;
use connect_core::case::share::KeyShare;
use connect_core::message::{self, Payload};
use connect_core::refusal::Refusal;
use connect_core::secret::CaseKey;
use connect_proto::ids::{AttachmentId, UserId};
use connect_store::cases::{self, Case, CaseRow, controls, copies, due, history, keys, shares};
use connect_store::contacts;

use crate::attachments::download;
use crate::audience::Audience;
use crate::controls::{self as sending, Order};
use crate::error::Error;
use crate::journal::Journal;

/// Keys of one epoch that are kept of anybody at most: more than two participants hardly begin one at the same time.
const KEYS_OF_AN_EPOCH: usize = 8;
/// Of whoever began an epoch, whatever others say of it.
const KEYS_OF_WHO_BEGAN_IT: usize = 2;
/// A share comes before the revision that begins its epoch; of what is further ahead nothing is known to be true.
const EPOCHS_AHEAD: u32 = 16;
/// Keys in one share: about 20 KiB.
const KEYS_AT_ONCE: usize = 500;
/// Copies in one share: as much.
const COPIES_AT_ONCE: usize = 500;

/// What a participant by this revision may have: a key that came ahead of its own revision may be one to keep from them.
async fn list_keys(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
) -> Result<Vec<(u32, CaseKey)>, Error> {
    let mut keys = keys::list(journal.tx(), case.row).await?;
    keys.retain(|(epoch, _)| *epoch <= control.epoch);
    Ok(keys)
}

/// Sends a participant every key up to this revision's epoch, in as many shares as it takes. One whose own key is not known yet
/// gets them once it is.
pub(crate) async fn queue(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
    user: &UserId,
    mut history: Option<Attachment>,
) -> Result<(), Error> {
    let Some(contact) = contacts::find_in(journal.tx(), user).await? else {
        due::add(journal.tx(), case.row, user, false).await?;
        journal.afterwards(|unlocked| unlocked.case_wake.notify_one());
        return Ok(());
    };
    let audience = Audience::of_user(contact);
    let mut keys = list_keys(journal, case, control)
        .await?
        .into_iter()
        .peekable();
    while keys.peek().is_some() {
        let part = keys.by_ref().take(KEYS_AT_ONCE).collect();
        let is_last = keys.peek().is_none();
        let share = KeyShare {
            case_id: case.case_id,
            keys: part,
            control: control.digest(),
            history: history.take_if(|_| is_last),
            copies: Vec::new(),
        };
        let payload = Payload::CaseKeyShare(Arc::new(share));
        sending::queue(journal, &audience, Order::Aside, &payload).await?;
    }
    Ok(())
}

/// Tells a participant where copies of attachments lie, beside the key that is written under: no share is without one.
pub(crate) async fn queue_copies(
    journal: &mut Journal,
    case: &Case,
    control: &Control,
    user: &UserId,
    copies: &[(AttachmentId, AttachmentId)],
) -> Result<(), Error> {
    let Some(contact) = contacts::find_in(journal.tx(), user).await? else {
        return Ok(());
    };
    let audience = Audience::of_user(contact);
    for part in copies.chunks(COPIES_AT_ONCE) {
        let mut keys = list_keys(journal, case, control).await?;
        // Of the newest epoch the first: one that came later may be unknown there, and a share with it refused.
        let newest = keys.last().map_or(0, |(epoch, _)| *epoch);
        keys.drain(..keys.partition_point(|(epoch, _)| *epoch < newest));
        keys.truncate(1);
        let share = KeyShare {
            case_id: case.case_id,
            keys,
            control: control.digest(),
            history: None,
            copies: part.to_vec(),
        };
        let payload = Payload::CaseKeyShare(Arc::new(share));
        sending::queue(journal, &audience, Order::Aside, &payload).await?;
    }
    Ok(())
}

/// Whether a share may be taken from its sender.
pub(crate) async fn check(
    journal: &mut Journal,
    sender: &UserId,
    share: &KeyShare,
) -> Result<Result<(), Refusal>, Error> {
    if let Some(refusal) = share
        .keys
        .iter()
        .find_map(|(epoch, _)| check_number(*epoch).err())
    {
        return Ok(Err(refusal));
    }
    let case = cases::find_in(journal.tx(), share.case_id).await?;
    if let Some(case) = &case
        && let Some((control, _)) = &case.control
    {
        let newest = share.keys.last().map_or(0, |(epoch, _)| *epoch);
        let is_far_ahead = newest > control.epoch.saturating_add(EPOCHS_AHEAD);
        // Whoever brought the account in may have left since: its history is the only one that is heard.
        let is_awaited = awaits_history_of(case, sender) && share.history.is_some();
        let may_share = control.has(sender)
            || is_awaited && newest <= control.epoch
            || tells_of_copies_alone(journal, case, sender, share).await?;
        // Whoever is out may have missed any number of epochs.
        if !may_share || is_far_ahead && case.left_ms.is_none() {
            return Ok(Err(Refusal::BadKeyShare));
        }
    }
    let row = case.map(|case| case.row);
    for of_one in share.keys.chunk_by(|(one, _), (next, _)| one == next) {
        if !has_room(journal, row, sender, of_one).await? {
            return Ok(Err(Refusal::BadKeyShare));
        }
    }
    Ok(Ok(()))
}

fn awaits_history_of(case: &Case, sender: &UserId) -> bool {
    case.introduced_by.as_ref() == Some(sender) && !case.history_is_here
}

/// Whoever brought the account in may have left since, while the files of before were on their way.
async fn tells_of_copies_alone(
    journal: &mut Journal,
    case: &Case,
    sender: &UserId,
    share: &KeyShare,
) -> Result<bool, Error> {
    if case.introduced_by.as_ref() != Some(sender)
        || share.copies.is_empty()
        || share.history.is_some()
    {
        return Ok(false);
    }
    for (epoch, key) in &share.keys {
        let known = keys::list_of(journal.tx(), case.row, *epoch).await?;
        if !known.iter().any(|one| one.is(key)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whoever brought the account in may be about to do so anew, by a revision that comes after its share.
async fn is_ahead_of_it(
    journal: &mut Journal,
    case: &Case,
    sender: &UserId,
    share: &KeyShare,
) -> Result<bool, Error> {
    let brought_us = case.introduced_by.as_ref() == Some(sender);
    let known = controls::find(journal.tx(), case.row, &share.control).await?;
    Ok(brought_us && known.is_none())
}

/// Whether these keys of one epoch may be kept beside those that are. Nobody can fill the places of whoever began it.
async fn has_room(
    journal: &mut Journal,
    row: Option<CaseRow>,
    sender: &UserId,
    of_one: &[(u32, CaseKey)],
) -> Result<bool, Error> {
    let (Some(row), Some((epoch, _))) = (row, of_one.first()) else {
        return Ok(of_one.len() <= KEYS_OF_AN_EPOCH);
    };
    let known = keys::list_of(journal.tx(), row, *epoch).await?;
    let is_known = |key: &CaseKey| known.iter().any(|one| one.is(key));
    let fresh = of_one.iter().filter(|(_, key)| !is_known(key)).count();
    if fresh == 0 || known.len() + fresh <= KEYS_OF_AN_EPOCH {
        return Ok(true);
    }
    let theirs = keys::count_from(journal.tx(), row, *epoch, sender).await?;
    let theirs = usize::try_from(theirs).unwrap_or(usize::MAX);
    Ok(theirs.saturating_add(fresh) <= KEYS_OF_WHO_BEGAN_IT
        && controls::counts(journal.tx(), row, *epoch, sender).await?)
}

/// Keeps what a share brings. Where what was written before is found is heard only from who brings the account in, and
/// until that is here.
pub(crate) async fn take(
    journal: &mut Journal,
    sender: &UserId,
    share: &KeyShare,
) -> Result<(), Error> {
    let now_ms = journal.now_ms();
    let case = cases::ensure(journal.tx(), share.case_id, now_ms).await?;
    for (epoch, key) in &share.keys {
        keys::add(
            journal.tx(),
            case.row,
            (*epoch, key),
            &share.control,
            sender,
        )
        .await?;
    }
    let is_out = case.control.is_none() || case.left_ms.is_some();
    let is_heard = is_out
        || awaits_history_of(&case, sender)
        || is_ahead_of_it(journal, &case, sender, share).await?;
    let said = share.history.clone().filter(|_| is_heard);
    // As it is kept: the payload of a message that nobody sent.
    let said = said.map(|said| message::encode(&Payload::Attachment(Box::new(said))));
    let said = said.as_ref().map(|said| said.as_slice());
    shares::add(journal.tx(), case.row, sender, &share.control, said).await?;
    if !share.copies.is_empty() {
        copies::put(journal.tx(), case.row, sender, &share.copies, now_ms).await?;
    }
    // What others say of copies is not looked at, nor does it bring back what was discarded.
    if !share.copies.is_empty() && case.introduced_by.as_ref() == Some(sender) {
        download::fetch_copies(journal, case.row, Some(&share.copies)).await?;
    }
    if !is_out && history::accept(journal.tx(), case.row).await? {
        journal.afterwards(|unlocked| unlocked.case_wake.notify_one());
    }
    Ok(())
}
