//! A group's roster as its admins write it: revisions that follow each other by digest (D17).

use std::collections::BTreeSet;
use std::fmt;

use crate::case::control::ENDLESS;
use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::UserId;
use connect_proto::{codec, routes, wire};

/// Members of a group at most, the one who writes included.
pub const MAX_MEMBERS: usize = 512;
/// Longest name, in bytes.
pub const MAX_NAME: usize = 256;
/// What a send may come to, with some room for what is around the boxes.
const MAX_SENT: usize = routes::MAX_SEND_BYTES - (1 << 20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Member,
    Admin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user_id: UserId,
    pub role: Role,
}

/// One revision of a group. The name of a group is content: it stays out of logs.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupControl {
    /// From 1.
    pub revision: u64,
    /// None in the first revision.
    pub previous: Option<Digest>,
    pub name: String,
    /// By user id, each once.
    pub roster: Vec<Member>,
}

impl fmt::Debug for GroupControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupControl({})", self.revision)
    }
}

/// Why something is no revision of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadControl {
    #[error("a group's name is empty")]
    NameEmpty,
    #[error("a group's name is too long")]
    NameTooLong,
    #[error("a group's name has characters that cannot be shown")]
    NameMalformed,
    #[error("a roster is not sorted, or names somebody twice")]
    NotSorted,
    #[error("a group has too many members")]
    TooManyMembers,
    #[error("a group has members and no admin")]
    NoAdmin,
    #[error("a revision does not say what it follows, or is no number")]
    BadRevision,
    #[error("a role or an id is not what the schema says")]
    Malformed,
}

/// What a new revision is to change.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub name: Option<String>,
    pub add: Vec<UserId>,
    pub remove: Vec<UserId>,
    pub promote: Vec<UserId>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change(..)")
    }
}

/// Whether somebody may put one revision in another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    Admin,
    /// Nobody has to stay: who is no admin may take itself off, and change nothing else.
    OwnLeave,
    None,
}

impl GroupControl {
    /// The first revision: its author is the one admin.
    pub fn first(
        name: String,
        author: &UserId,
        others: impl IntoIterator<Item = UserId>,
    ) -> Result<Self, BadControl> {
        let mut names: BTreeSet<UserId> = others.into_iter().collect();
        names.remove(author);
        let mut roster: Vec<Member> = names
            .into_iter()
            .map(|user_id| Member {
                user_id,
                role: Role::Member,
            })
            .collect();
        roster.push(Member {
            user_id: author.clone(),
            role: Role::Admin,
        });
        roster.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        let control = Self {
            revision: 1,
            previous: None,
            name,
            roster,
        };
        control.check()?;
        Ok(control)
    }

    /// The revision after this one. Who is added and there already stays what they were; who is promoted is an admin.
    pub fn next(&self, change: &Change) -> Result<Self, BadControl> {
        let mut roster: Vec<Member> = self
            .roster
            .iter()
            .filter(|member| !change.remove.contains(&member.user_id))
            .cloned()
            .collect();
        for user_id in &change.add {
            if !roster.iter().any(|member| member.user_id == *user_id) {
                roster.push(Member {
                    user_id: user_id.clone(),
                    role: Role::Member,
                });
            }
        }
        for member in &mut roster {
            if change.promote.contains(&member.user_id) {
                member.role = Role::Admin;
            }
        }
        roster.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        let next = Self {
            revision: self.revision + 1,
            previous: Some(self.digest()),
            name: change.name.clone().unwrap_or_else(|| self.name.clone()),
            roster,
        };
        next.check()?;
        Ok(next)
    }

    /// SHA-256 over the encoding: fields in the order of their numbers, without those that are empty.
    pub fn digest(&self) -> Digest {
        sha256(&codec::encode(&self.to_wire()))
    }

    pub fn member(&self, user_id: &UserId) -> Option<&Member> {
        let found = self
            .roster
            .binary_search_by(|member| member.user_id.cmp(user_id));
        found.ok().map(|place| &self.roster[place])
    }

    pub fn is_admin(&self, user_id: &UserId) -> bool {
        self.member(user_id)
            .is_some_and(|member| member.role == Role::Admin)
    }

    pub fn admins(&self) -> impl Iterator<Item = &UserId> {
        let admins = self.roster.iter();
        admins
            .filter(|member| member.role == Role::Admin)
            .map(|member| &member.user_id)
    }

    /// What entitles an author to put `next` in this one's place, whatever number it has.
    pub fn right_to(&self, author: &UserId, next: &Self) -> Right {
        if self.is_admin(author) {
            return Right::Admin;
        }
        let without = self.roster.iter();
        let without: Vec<&Member> = without.filter(|it| it.user_id != *author).collect();
        let is_own_leave = self.member(author).is_some()
            && next.name == self.name
            && next.roster.iter().eq(without);
        if is_own_leave {
            Right::OwnLeave
        } else {
            Right::None
        }
    }

    fn check(&self) -> Result<(), BadControl> {
        check_name(&self.name)?;
        if !(1..ENDLESS).contains(&self.revision) || (self.revision == 1) != self.previous.is_none()
        {
            return Err(BadControl::BadRevision);
        }
        if self.roster.len() > MAX_MEMBERS {
            return Err(BadControl::TooManyMembers);
        }
        let in_order = |pair: &[Member]| pair[0].user_id < pair[1].user_id;
        if !self.roster.windows(2).all(in_order) {
            return Err(BadControl::NotSorted);
        }
        // A group that the last one left has nobody.
        if !self.roster.is_empty() && self.admins().next().is_none() {
            return Err(BadControl::NoAdmin);
        }
        // One envelope goes to all (D18): each has a box with the whole roster in it.
        let size = codec::encode(&self.to_wire()).len() + 1024;
        if size > routes::MAX_PADDED || size.next_multiple_of(8192) * self.roster.len() > MAX_SENT {
            return Err(BadControl::TooManyMembers);
        }
        Ok(())
    }

    pub(crate) fn to_wire(&self) -> wire::GroupControl {
        wire::GroupControl {
            revision: self.revision,
            previous_digest: self.previous.map(|it| it.to_vec()).unwrap_or_default(),
            name: self.name.clone(),
            roster: self.roster.iter().map(Member::to_wire).collect(),
        }
    }

    pub(crate) fn from_wire(wire: &wire::GroupControl) -> Result<Self, BadControl> {
        let previous = match wire.previous_digest.as_slice() {
            [] => None,
            bytes => Some(bytes.try_into().map_err(|_| BadControl::Malformed)?),
        };
        let control = Self {
            revision: wire.revision,
            previous,
            name: wire.name.clone(),
            roster: wire
                .roster
                .iter()
                .map(Member::from_wire)
                .collect::<Result<_, _>>()?,
        };
        control.check()?;
        Ok(control)
    }
}

impl Member {
    fn to_wire(&self) -> wire::Member {
        wire::Member {
            user_id: self.user_id.as_str().to_owned(),
            role: match self.role {
                Role::Member => wire::Role::Member,
                Role::Admin => wire::Role::Admin,
            }
            .into(),
        }
    }

    fn from_wire(wire: &wire::Member) -> Result<Self, BadControl> {
        Ok(Self {
            user_id: wire.user_id.parse().map_err(|_| BadControl::Malformed)?,
            role: match wire::Role::try_from(wire.role) {
                Ok(wire::Role::Member) => Role::Member,
                Ok(wire::Role::Admin) => Role::Admin,
                Err(_) => return Err(BadControl::Malformed),
            },
        })
    }
}

/// A name as it may be shown in one line.
fn check_name(name: &str) -> Result<(), BadControl> {
    if name.trim().is_empty() {
        return Err(BadControl::NameEmpty);
    }
    if name.len() > MAX_NAME {
        return Err(BadControl::NameTooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(BadControl::NameMalformed);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
