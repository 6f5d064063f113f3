//! A group's roster here: put in the place of the one before, told, and sent to whoever is behind (D17).

use std::collections::BTreeSet;

use connect_core::group::GroupControl;
use connect_core::message::{MessageRef, Payload, Receipt, ReceiptKind};
use connect_proto::hash::Digest;
use connect_proto::ids::{GroupId, UserId};
use connect_store::codes::{EventKind, GroupChange, GroupStanding};
use connect_store::contacts::Contact;
use connect_store::conversations::{Conversation, ConversationRow};
use connect_store::events::NewEvent;
use connect_store::groups::{self, Answers, Group};

use crate::audience::{self, Audience};
use crate::controls::{self, Order};
use crate::error::Error;
use crate::holds;
use crate::journal::Journal;

/// Rosters that nobody ever wrote are as many as a member likes; each answer is the whole chain.
const ANSWERS: Answers = Answers {
    most: 3,
    within_ms: 3_600_000,
};

/// The revision that counts here.
pub(crate) async fn current(journal: &mut Journal, group: &Group) -> Result<GroupControl, Error> {
    groups::find_revision(journal.tx(), group.row, group.revision)
        .await?
        .ok_or(Error::StorageFailed("group_revisions"))
}

/// Puts a revision in the place of the one before, whoever wrote it, and tells what is other. What waits for somebody who
/// is out now fails.
pub(crate) async fn take(
    journal: &mut Journal,
    row: ConversationRow,
    before: Option<&Group>,
    next: &GroupControl,
    author: &UserId,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let was_in = before.filter(|group| group.standing == GroupStanding::Member);
    let standing = match next.member(&me) {
        Some(_) => GroupStanding::Member,
        None if *author == me => GroupStanding::Left,
        None => GroupStanding::Removed,
    };
    let now_ms = journal.now_ms();
    let is_fresh = was_in.is_none();
    let forgotten = groups::put(journal.tx(), row, next, standing, now_ms, is_fresh).await?;
    journal.afterwards(move |unlocked| unlocked.counters.change_missing(-forgotten));
    let Some(before) = was_in else {
        return tell(journal, row, next, GroupChange::Joined, None).await;
    };
    let names: BTreeSet<&UserId> = before.members.iter().map(|it| &it.user_id).collect();
    for gone in names.iter().filter(|user| next.member(user).is_none()) {
        holds::drop_member(journal, row, gone).await?;
        let what = if *gone == author {
            GroupChange::Left
        } else {
            GroupChange::Removed
        };
        tell(journal, row, next, what, Some(gone)).await?;
    }
    if before.name != next.name {
        tell(journal, row, next, GroupChange::Renamed, None).await?;
    }
    for member in &next.roster {
        let user_id = &member.user_id;
        if !names.contains(user_id) {
            tell(journal, row, next, GroupChange::Added, Some(user_id)).await?;
        }
        let was_admin = before.member(user_id).is_some_and(|it| it.is_admin);
        if next.is_admin(user_id) && !was_admin {
            tell(journal, row, next, GroupChange::Promoted, Some(user_id)).await?;
        }
    }
    Ok(())
}

async fn tell(
    journal: &mut Journal,
    row: ConversationRow,
    now: &GroupControl,
    what: GroupChange,
    user_id: Option<&UserId>,
) -> Result<(), Error> {
    tell_of(journal, row, now.revision, what, user_id).await
}

async fn tell_of(
    journal: &mut Journal,
    row: ConversationRow,
    revision: u64,
    what: GroupChange,
    user_id: Option<&UserId>,
) -> Result<(), Error> {
    let event = NewEvent {
        conversation: Some(row),
        user_id: user_id.map(UserId::as_str),
        reason: Some(what.word()),
        range: Some((revision, revision)),
        ..NewEvent::of(EventKind::GroupChanged, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}

/// Sends a revision of ours to everyone who is in the group by it, and to those who are no more.
pub(crate) async fn announce(
    journal: &mut Journal,
    group_id: GroupId,
    before: Option<&GroupControl>,
    next: &GroupControl,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let before = before.map_or(&[][..], |before| &before.roster);
    let named = before.iter().chain(&next.roster);
    let named: BTreeSet<UserId> = named.map(|member| member.user_id.clone()).collect();
    let others: Vec<UserId> = named.into_iter().filter(|user| *user != me).collect();
    let conversation = Conversation::Group(group_id);
    let audience = audience::these(journal, conversation, Some(next.digest()), &others).await?;
    let payload = Payload::GroupControl(next.clone());
    controls::queue(journal, &audience, Order::Numbered, &payload).await?;
    Ok(())
}

/// Sends every revision after one to a member, as it was written; only an admin's word counts there.
pub(crate) async fn bring_up(
    journal: &mut Journal,
    group: &Group,
    user_id: &UserId,
    after: u64,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let is_admin = group.member(&me).is_some_and(|member| member.is_admin);
    if !is_admin || group.member(user_id).is_none() || *user_id == me {
        return Ok(());
    }
    let audience = one_of(journal, group, user_id).await?;
    for control in groups::list_revisions(journal.tx(), group.row, after).await? {
        let payload = Payload::GroupControl(control);
        controls::queue(journal, &audience, Order::Aside, &payload).await?;
    }
    Ok(())
}

async fn one_of(journal: &mut Journal, group: &Group, user_id: &UserId) -> Result<Audience, Error> {
    let conversation = Conversation::Group(group.group_id);
    let alone = std::slice::from_ref(user_id);
    audience::these(journal, conversation, Some(group.digest), alone).await
}

/// A member goes by another roster than ours. Whoever of the two is ahead is an admin, or one is asked: every message in a
/// group says by which roster it goes, and an admin answers whoever is behind, once for each roster and not without end.
pub(crate) async fn reconcile(
    journal: &mut Journal,
    group: &Group,
    said: &MessageRef,
    theirs: Option<Digest>,
) -> Result<(), Error> {
    let theirs = theirs.unwrap_or_default();
    let sender = &said.sender;
    if theirs == group.digest {
        return Ok(());
    }
    let now_ms = journal.now_ms();
    let by = (sender, &theirs);
    if !groups::note_answered(journal.tx(), group.row, by, now_ms, ANSWERS).await? {
        return Ok(());
    }
    let known = groups::find_digest(journal.tx(), group.row, &theirs).await?;
    bring_up(journal, group, sender, known.unwrap_or(0)).await?;
    if known.is_some() {
        return Ok(());
    }
    disagree(journal, group, sender).await?;
    ask_admins(journal, group, said).await
}

/// Somebody goes by another roster than ours, or wrote one at the same time.
pub(crate) async fn disagree(
    journal: &mut Journal,
    group: &Group,
    user_id: &UserId,
) -> Result<(), Error> {
    let what = GroupChange::Disagreement;
    tell_of(journal, group.row, group.revision, what, Some(user_id)).await
}

/// They see by our roster that we are behind. A receipt says nothing else to them: it is not their message.
async fn ask_admins(journal: &mut Journal, group: &Group, said: &MessageRef) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    let admins = group.admins().filter(|admin| **admin != me);
    let admins: Vec<UserId> = admins.cloned().collect();
    let conversation = Conversation::Group(group.group_id);
    let audience = audience::these(journal, conversation, Some(group.digest), &admins).await?;
    let receipt = Payload::Receipt(Receipt {
        kind: ReceiptKind::Delivered,
        messages: vec![said.clone()],
        at_ms: journal.now_ms(),
    });
    controls::queue(journal, &audience, Order::Aside, &receipt).await?;
    Ok(())
}

/// A contact has another key, and maybe another installation, which knows of no group: the admins of those that it is in
/// tell it.
pub(crate) async fn tell_again(journal: &mut Journal, contact: &Contact) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    for group_id in groups::list_led(journal.tx(), &me, &contact.user_id).await? {
        if let Some(group) = groups::find_in(journal.tx(), group_id).await? {
            bring_up(journal, &group, &contact.user_id, group.revision - 1).await?;
        }
    }
    Ok(())
}
