//! Groups: made, changed and left by what their admins write to all members (§8.2.1, D17).

use std::sync::Arc;

use connect_core::group::{BadControl, Change, GroupControl};
use connect_proto::ids::{GroupId, UserId};
use connect_store::codes::GroupStanding;
use connect_store::contacts;
use connect_store::conversations::{self, Conversation};
use connect_store::groups::{self, Group};

use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;
use crate::{contacts as people, roster};

/// Makes a group of this user, who is its admin, and others.
pub async fn create(
    unlocked: &Arc<Unlocked>,
    name: &str,
    members: Vec<UserId>,
) -> Result<Group, Error> {
    let me = unlocked.user_id().clone();
    let first = GroupControl::first(name.to_owned(), &me, members.iter().cloned())
        .map_err(|bad| refused(bad, "members"))?;
    know(unlocked, "members", &members).await?;
    let group_id = GroupId::random(&mut unlocked.chance.clone());
    let mut journal = Journal::begin(unlocked).await?;
    let conversation = Conversation::Group(group_id);
    let row = conversations::ensure(journal.tx(), &conversation).await?;
    roster::take(&mut journal, row, None, &first, &me).await?;
    roster::announce(&mut journal, group_id, None, &first).await?;
    finish(journal, group_id).await
}

/// Writes the next revision. Changing nothing writes nothing.
pub async fn update(
    unlocked: &Arc<Unlocked>,
    group_id: GroupId,
    change: &Change,
) -> Result<Group, Error> {
    know(unlocked, "add", &change.add).await?;
    let me = unlocked.user_id().clone();
    let mut journal = Journal::begin(unlocked).await?;
    let (group, current) = find_own(&mut journal, group_id).await?;
    if !current.is_admin(&me) {
        return Err(Error::invalid("group", Reason::NotAnAdmin));
    }
    // Who leaves says so.
    if change.remove.contains(&me) {
        return Err(Error::invalid("remove", Reason::NotSupported));
    }
    let is_there = |user: &UserId| current.member(user).is_some();
    if !change.remove.iter().all(is_there) {
        return Err(Error::invalid("remove", Reason::Mismatch));
    }
    let will_be_there = |user: &UserId| {
        (is_there(user) || change.add.contains(user)) && !change.remove.contains(user)
    };
    if !change.promote.iter().all(will_be_there) {
        return Err(Error::invalid("promote", Reason::Mismatch));
    }
    if change.add.iter().any(|user| change.remove.contains(user)) {
        return Err(Error::invalid("add", Reason::Mismatch));
    }
    let next = current.next(change).map_err(|bad| refused(bad, "add"))?;
    if next.name == current.name && next.roster == current.roster {
        return Ok(group);
    }
    write(&mut journal, &group, &current, &next).await?;
    finish(journal, group_id).await
}

/// Takes this user off the roster. The last admin leaves the group to whoever has been in it for the longest.
pub async fn leave(unlocked: &Arc<Unlocked>, group_id: GroupId) -> Result<Group, Error> {
    let me = unlocked.user_id().clone();
    let mut journal = Journal::begin(unlocked).await?;
    let (group, current) = find_own(&mut journal, group_id).await?;
    let next = without(&group, &current, &me)?;
    write(&mut journal, &group, &current, &next).await?;
    finish(journal, group_id).await
}

/// The revision after the current one, without somebody; it always has an admin.
pub(crate) fn without(
    group: &Group,
    current: &GroupControl,
    user: &UserId,
) -> Result<GroupControl, Error> {
    let mut change = Change {
        remove: vec![user.clone()],
        ..Change::default()
    };
    if current.admins().all(|admin| admin == user) {
        let others = group.members.iter().filter(|it| it.user_id != *user);
        let heir = others.min_by_key(|member| (member.since, &member.user_id));
        change
            .promote
            .extend(heir.map(|member| member.user_id.clone()));
    }
    current.next(&change).map_err(|bad| refused(bad, "group"))
}

pub async fn find(unlocked: &Unlocked, group_id: GroupId) -> Result<Group, Error> {
    groups::find(&unlocked.store, group_id)
        .await?
        .ok_or(Error::NotFound)
}

/// By id, with how many are in it; one more than `limit` tells whether there is a next page.
pub async fn list(
    unlocked: &Unlocked,
    after: Option<GroupId>,
    limit: u32,
) -> Result<Vec<(Group, u64)>, Error> {
    Ok(groups::list(&unlocked.store, after, limit).await?)
}

/// A revision of ours: taken here, and sent to everyone whom it is about.
pub(crate) async fn write(
    journal: &mut Journal,
    group: &Group,
    current: &GroupControl,
    next: &GroupControl,
) -> Result<(), Error> {
    let me = journal.unlocked().user_id().clone();
    roster::take(journal, group.row, Some(group), next, &me).await?;
    roster::announce(journal, group.group_id, Some(current), next).await
}

async fn find_own(
    journal: &mut Journal,
    group_id: GroupId,
) -> Result<(Group, GroupControl), Error> {
    let group = groups::find_in(journal.tx(), group_id)
        .await?
        .ok_or(Error::NotFound)?;
    if group.standing != GroupStanding::Member {
        return Err(Error::NotAParticipant);
    }
    let current = roster::current(journal, &group).await?;
    Ok((group, current))
}

async fn finish(mut journal: Journal, group_id: GroupId) -> Result<Group, Error> {
    let group = groups::find_in(journal.tx(), group_id).await?;
    journal.commit().await?;
    group.ok_or(Error::Internal("a group that is not there"))
}

/// Who is no contact yet becomes one, as the directory knows them. Whom it does not know, or one does not want to hear
/// of, is not added.
async fn know(
    unlocked: &Arc<Unlocked>,
    field: &'static str,
    users: &[UserId],
) -> Result<(), Error> {
    let others: Vec<UserId> = users
        .iter()
        .filter(|user| *user != unlocked.user_id())
        .cloned()
        .collect();
    people::look_up_unknown(unlocked, &others).await?;
    let known = contacts::find_many(&unlocked.store, &others).await?;
    if others.iter().any(|user| !known.contains_key(user)) {
        return Err(Error::UnknownContact);
    }
    if known.values().any(|contact| contact.blocked) {
        return Err(Error::invalid(field, Reason::Blocked));
    }
    Ok(())
}

fn refused(bad: BadControl, members: &'static str) -> Error {
    match bad {
        BadControl::NameEmpty => Error::invalid("name", Reason::Empty),
        BadControl::NameTooLong => Error::invalid("name", Reason::TooLong),
        BadControl::NameMalformed => Error::invalid("name", Reason::Malformed),
        BadControl::TooManyMembers => Error::invalid(members, Reason::TooLong),
        BadControl::NotSorted
        | BadControl::NoAdmin
        | BadControl::BadRevision
        | BadControl::Malformed => Error::invalid(members, Reason::Malformed),
    }
}
