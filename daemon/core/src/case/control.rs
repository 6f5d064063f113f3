//! What a case is and who is in it, revision by revision, each chained to the one before (§8.2.3, D16).

use std::fmt;

use connect_proto::hash::{Digest, sha256};
use connect_proto::ids::UserId;
use connect_proto::{codec, wire};

use crate::refusal::Refusal;
use crate::refused::PayloadRefused;

/// People in one case at most, the author included.
pub const MAX_PARTICIPANTS: usize = 500;
/// Longest title, in bytes.
pub const MAX_TITLE: usize = 256;
/// Longest identifier of a patient, in bytes.
pub const MAX_REFERENCE: usize = 128;
/// From here on a number does not cross the socket whole.
pub(crate) const ENDLESS: u64 = 1 << 53;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Member,
    /// May take others out, rename the case and close it.
    Admin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    pub user_id: UserId,
    pub role: Role,
}

/// A revision of the case.
#[derive(Clone, PartialEq, Eq)]
pub struct Control {
    /// From 1.
    pub revision: u64,
    /// Of the revision before; none in the first.
    pub previous: Option<Digest>,
    pub title: String,
    /// The record system's own identifier, opaque here; empty where there is none.
    pub patient_reference: String,
    /// By user id, each once.
    pub roster: Vec<Participant>,
    /// What is written from now on is sealed under this one's key.
    pub epoch: u32,
    pub closed: bool,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Control({})", self.revision)
    }
}

impl Control {
    /// What the next revision, and whatever is written under this one, names it by.
    pub fn digest(&self) -> Digest {
        sha256(&codec::encode(&to_wire(self)))
    }

    pub fn has(&self, user: &UserId) -> bool {
        self.role_of(user).is_some()
    }

    /// Where nobody in the roster is an admin any more, everybody is.
    pub fn role_of(&self, user: &UserId) -> Option<Role> {
        let nobody = self.roster.iter().all(|one| one.role == Role::Member);
        let found = self.roster.iter().find(|one| one.user_id == *user)?;
        Some(if nobody { Role::Admin } else { found.role })
    }

    /// Who makes the next epoch by itself: the first admin, and without one the first participant.
    pub fn steward(&self, except: &UserId) -> Option<&UserId> {
        let others = || self.roster.iter().filter(|one| one.user_id != *except);
        others()
            .find(|one| one.role == Role::Admin)
            .or_else(|| others().next())
            .map(|one| &one.user_id)
    }

    /// The revision after this one, the same in all but its number. None where this is the last that there can be.
    pub fn next(&self) -> Option<Self> {
        let revision = self.revision + 1;
        (revision < ENDLESS).then(|| Self {
            revision,
            previous: Some(self.digest()),
            ..self.clone()
        })
    }

    /// Whether the author may have this one followed by that.
    pub fn check_next(&self, next: &Self, author: &UserId) -> Result<(), Refusal> {
        if next.revision != self.revision + 1 || next.previous != Some(self.digest()) {
            return Err(Refusal::BrokenControlChain);
        }
        if self.closed {
            return Err(Refusal::CaseClosed);
        }
        let role = self.role_of(author).ok_or(Refusal::NotAParticipant)?;
        let lost = |one: &&Participant| !next.has(&one.user_id);
        let takes_out = self
            .roster
            .iter()
            .filter(lost)
            .any(|one| one.user_id != *author);
        let epoch_is_new = next.epoch == self.epoch.saturating_add(1);
        // Whoever leaves cannot make the key that it is not to have.
        let fits = next.epoch == self.epoch && !takes_out
            || epoch_is_new && next.role_of(author).is_some();
        if !fits {
            return Err(Refusal::NotAllowed);
        }
        let promotes = next.roster.iter().any(|one| {
            let before = self.roster.iter().find(|old| old.user_id == one.user_id);
            one.role != before.map_or(Role::Member, |old| old.role)
        });
        let renames = (&next.title, &next.patient_reference, next.closed)
            != (&self.title, &self.patient_reference, self.closed);
        if role != Role::Admin && (takes_out || promotes || renames) {
            return Err(Refusal::NotAllowed);
        }
        Ok(())
    }

    /// Whether it may be a case's first.
    pub fn check_first(&self, author: &UserId) -> Result<(), Refusal> {
        if self.revision != 1 || self.epoch != 1 || self.closed {
            return Err(Refusal::BrokenControlChain);
        }
        if self.role_of(author) != Some(Role::Admin) {
            return Err(Refusal::NotAParticipant);
        }
        Ok(())
    }
}

/// A text that fits, without what would break a line of its own apart.
pub fn is_plain(text: &str, most: usize) -> bool {
    text.len() <= most && !text.chars().any(char::is_control)
}

pub(crate) fn to_wire(control: &Control) -> wire::CaseControl {
    wire::CaseControl {
        revision: control.revision,
        previous_digest: control.previous.map(Vec::from).unwrap_or_default(),
        title: control.title.clone(),
        patient_reference: control.patient_reference.clone(),
        roster: control
            .roster
            .iter()
            .map(|one| wire::Member {
                user_id: one.user_id.to_string(),
                role: match one.role {
                    Role::Member => wire::Role::Member,
                    Role::Admin => wire::Role::Admin,
                }
                .into(),
            })
            .collect(),
        epoch: control.epoch,
        closed: control.closed,
    }
}

pub(crate) fn from_wire(wire: wire::CaseControl) -> Result<Control, PayloadRefused> {
    let is_first = wire.revision == 1;
    let fits = (1..ENDLESS).contains(&wire.revision)
        && wire.epoch > 0
        && is_first == wire.previous_digest.is_empty()
        && !wire.title.is_empty()
        && is_plain(&wire.title, MAX_TITLE)
        && is_plain(&wire.patient_reference, MAX_REFERENCE)
        && wire.roster.len() <= MAX_PARTICIPANTS
        && wire
            .roster
            .is_sorted_by(|one, next| one.user_id < next.user_id);
    if !fits {
        return Err(PayloadRefused::Malformed);
    }
    Ok(Control {
        revision: wire.revision,
        previous: optional_digest(&wire.previous_digest)?,
        title: wire.title,
        patient_reference: wire.patient_reference,
        roster: wire
            .roster
            .iter()
            .map(participant)
            .collect::<Result<_, _>>()?,
        epoch: wire.epoch,
        closed: wire.closed,
    })
}

fn participant(wire: &wire::Member) -> Result<Participant, PayloadRefused> {
    Ok(Participant {
        user_id: wire
            .user_id
            .parse()
            .map_err(|_| PayloadRefused::Malformed)?,
        role: match wire::Role::try_from(wire.role) {
            Ok(wire::Role::Member) => Role::Member,
            Ok(wire::Role::Admin) => Role::Admin,
            Err(_) => return Err(PayloadRefused::Unsupported),
        },
    })
}

pub(crate) fn optional_digest(bytes: &[u8]) -> Result<Option<Digest>, PayloadRefused> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let digest = bytes.try_into().map_err(|_| PayloadRefused::Malformed)?;
    Ok(Some(digest))
}

#[cfg(test)]
pub(crate) mod tests;
