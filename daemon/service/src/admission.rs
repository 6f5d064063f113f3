//! Who may say something in a group, and whose roster counts (D17).

use connect_core::group::{GroupControl, Right};
use connect_core::inbound::Opened;
use connect_core::message::{MessageRef, Payload};
use connect_core::refusal::Refusal;
use connect_proto::ids::{GroupId, UserId};
use connect_store::codes::GroupStanding;
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::groups::{self, Group};

use crate::error::Error;
use crate::journal::Journal;
use crate::{groups as own, roster};

/// What was written before its author was taken off the roster may come for so long after that.
const FORMER_MEMBER_MS: u64 = 24 * 3600 * 1000;

/// A message that belongs to a group of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) row: ConversationRow,
    /// All that its author ever said there was for us too: what is missing before it is missing.
    pub(crate) from_first: bool,
}

pub(crate) async fn admit(
    journal: &mut Journal,
    opened: &Opened,
    group_id: GroupId,
) -> Result<Result<Admitted, Refusal>, Error> {
    let group = groups::find_in(journal.tx(), group_id).await?;
    if let Payload::GroupControl(control) = &opened.payload {
        return admit_control(journal, opened, group_id, group.as_ref(), control).await;
    }
    let Some(group) = group else {
        return Ok(Err(Refusal::UnknownGroup));
    };
    if group.standing != GroupStanding::Member {
        // How far something of ours has come may still be told.
        let is_receipt = matches!(opened.payload, Payload::Receipt(_));
        return Ok(if is_receipt && group.member(&opened.sender).is_some() {
            Ok(admitted(journal, &group, &opened.sender))
        } else {
            Err(Refusal::NotAMember)
        });
    }
    if group.member(&opened.sender).is_none() && !was_member(journal, &group, opened).await? {
        return Ok(Err(Refusal::NotAMember));
    }
    if !matches!(opened.payload, Payload::Typing(_)) {
        roster::reconcile(journal, &group, &reference(opened), opened.roster).await?;
    }
    Ok(Ok(admitted(journal, &group, &opened.sender)))
}

fn admitted(journal: &Journal, group: &Group, sender: &UserId) -> Admitted {
    let since = |user: &UserId| group.member(user).map(|member| member.since);
    let mine = since(journal.unlocked().user_id());
    Admitted {
        row: group.row,
        from_first: since(sender).is_some_and(|theirs| mine.is_some_and(|mine| theirs >= mine)),
    }
}

fn reference(opened: &Opened) -> MessageRef {
    MessageRef {
        sender: opened.sender.clone(),
        message_id: opened.message_id,
        timestamp_ms: opened.timestamp_ms,
    }
}

/// By the roster that it names its author was a member, until a short while ago.
async fn was_member(journal: &mut Journal, group: &Group, opened: &Opened) -> Result<bool, Error> {
    let Some(digest) = opened.roster else {
        return Ok(false);
    };
    let now_ms = journal.now_ms();
    let Some((then, replaced_ms)) = groups::find_replaced(journal.tx(), group.row, &digest).await?
    else {
        return Ok(false);
    };
    let is_recent = now_ms.saturating_sub(replaced_ms) <= FORMER_MEMBER_MS;
    Ok(is_recent && then.member(&opened.sender).is_some())
}

async fn admit_control(
    journal: &mut Journal,
    opened: &Opened,
    group_id: GroupId,
    group: Option<&Group>,
    control: &GroupControl,
) -> Result<Result<Admitted, Refusal>, Error> {
    let taken = match group {
        Some(group) => weigh(journal, opened, group, control).await?,
        None => join(journal, opened, group_id, control).await?,
    };
    if let Err(refusal) = taken {
        return Ok(Err(refusal));
    }
    let now = groups::find_in(journal.tx(), group_id).await?;
    let now = now.ok_or(Error::Internal("a group that is not there"))?;
    Ok(Ok(admitted(journal, &now, &opened.sender)))
}

/// A group that is new here: of somebody who says to be its admin, and for this user.
async fn join(
    journal: &mut Journal,
    opened: &Opened,
    group_id: GroupId,
    control: &GroupControl,
) -> Result<Result<(), Refusal>, Error> {
    if control.member(journal.unlocked().user_id()).is_none() {
        return Ok(Err(Refusal::MisplacedRoster));
    }
    if !control.is_admin(&opened.sender) {
        return Ok(Err(Refusal::NotAnAdmin));
    }
    let conversation = Conversation::Group(group_id);
    let row = conversations::ensure(journal.tx(), &conversation).await?;
    roster::take(journal, row, None, control, &opened.sender).await?;
    come_latest(journal, row, opened, control).await?;
    Ok(Ok(()))
}

/// Takes a revision where it counts; leaves it where it is known already, or another one won.
async fn weigh(
    journal: &mut Journal,
    opened: &Opened,
    group: &Group,
    control: &GroupControl,
) -> Result<Result<(), Refusal>, Error> {
    let (author, digest) = (&opened.sender, control.digest());
    let known = groups::find_digest(journal.tx(), group.row, &digest).await?;
    if known.is_some() {
        return Ok(Ok(()));
    }
    if group.standing != GroupStanding::Member {
        return come_back(journal, opened, group, control).await;
    }
    let current = roster::current(journal, group).await?;
    if control.previous == Some(current.digest()) && control.revision == current.revision + 1 {
        if current.right_to(author, control) == Right::None {
            return Ok(Err(Refusal::NotAnAdmin));
        }
        roster::take(journal, group.row, Some(group), control, author).await?;
        return Ok(Ok(()));
    }
    if let Some(before) = predecessor(journal, group, control).await? {
        return compete(journal, opened, (group, &current), &before, control).await;
    }
    if !current.is_admin(author) {
        return Ok(Err(Refusal::NotAnAdmin));
    }
    roster::reconcile(journal, group, &reference(opened), Some(digest)).await?;
    Ok(Err(Refusal::RosterOutOfChain))
}

/// This user was out: whoever was an admin of the group then, and is now, may take them in again.
async fn come_back(
    journal: &mut Journal,
    opened: &Opened,
    group: &Group,
    control: &GroupControl,
) -> Result<Result<(), Refusal>, Error> {
    let author = &opened.sender;
    if control.member(journal.unlocked().user_id()).is_none() {
        return Ok(Ok(()));
    }
    let was_admin = group.member(author).is_some_and(|member| member.is_admin);
    if !was_admin || !control.is_admin(author) {
        return Ok(Err(Refusal::NotAnAdmin));
    }
    if control.revision <= group.revision {
        return Ok(Err(Refusal::RosterOutOfChain));
    }
    roster::take(journal, group.row, Some(group), control, author).await?;
    come_latest(journal, group.row, opened, control).await?;
    Ok(Ok(()))
}

/// The first roster that a user sees is the group's first where it is the first thing that is said there, to everyone.
async fn come_latest(
    journal: &mut Journal,
    row: ConversationRow,
    opened: &Opened,
    control: &GroupControl,
) -> Result<(), Error> {
    if control.revision > 1 || opened.sequence == 0 {
        let me = journal.unlocked().user_id().clone();
        groups::set_latest(journal.tx(), row, &me).await?;
    }
    Ok(())
}

async fn predecessor(
    journal: &mut Journal,
    group: &Group,
    control: &GroupControl,
) -> Result<Option<GroupControl>, Error> {
    let Some(digest) = control.previous else {
        return Ok(None);
    };
    let revision = groups::find_digest(journal.tx(), group.row, &digest).await?;
    match revision.filter(|revision| revision + 1 == control.revision) {
        Some(revision) => Ok(groups::find_revision(journal.tx(), group.row, revision).await?),
        None => Ok(None),
    }
}

/// Two wrote at once: of both revisions the one with the lower digest counts, everywhere. Whoever was an admin then and is
/// none by what came after, has no say.
async fn compete(
    journal: &mut Journal,
    opened: &Opened,
    (group, current): (&Group, &GroupControl),
    before: &GroupControl,
    control: &GroupControl,
) -> Result<Result<(), Refusal>, Error> {
    let author = &opened.sender;
    match before.right_to(author, control) {
        Right::None => return Ok(Err(Refusal::NotAnAdmin)),
        Right::OwnLeave => {
            let me = journal.unlocked().user_id().clone();
            // One of the admins is enough to follow the wish.
            if current.member(author).is_some() && current.admins().next() == Some(&me) {
                match own::without(group, current, author) {
                    Ok(next) => own::write(journal, group, current, &next).await?,
                    // No page waits for what cannot be written.
                    Err(_) => {
                        tracing::warn!("nobody can leave a group that is at its last revision");
                    }
                }
            }
            return Ok(Ok(()));
        }
        Right::Admin if !current.is_admin(author) => return Ok(Err(Refusal::NotAnAdmin)),
        Right::Admin => {}
    }
    let ours = groups::find_revision(journal.tx(), group.row, control.revision).await?;
    let ours = ours.ok_or(Error::StorageFailed("group_revisions"))?;
    let theirs = control.digest();
    if theirs < ours.digest() {
        roster::disagree(journal, group, author).await?;
        roster::take(journal, group.row, Some(group), control, author).await?;
        return Ok(Ok(()));
    }
    roster::reconcile(journal, group, &reference(opened), Some(theirs)).await?;
    Ok(Ok(()))
}
