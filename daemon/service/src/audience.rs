//! To whom something of ours goes, and by which roster: the one place that knows how many a conversation is with.

use std::collections::{BTreeMap, BTreeSet};

use connect_core::message::Payload;
use connect_proto::hash::Digest;
use connect_proto::ids::{GroupId, UserId};
use connect_store::codes::{GroupStanding, StateReason};
use connect_store::contacts::{self, Contact};
use connect_store::conversations::Conversation;
use connect_store::outgoing::{Recipients, To};
use connect_store::{groups, recipients};

use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::sealed::Sealed;

/// Who gets something that is said in a conversation.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) conversation: Conversation,
    /// The roster that it goes by; none where the conversation is with one user.
    pub(crate) roster: Option<Digest>,
    pub(crate) contacts: Vec<Contact>,
    /// In the roster, and not in the directory.
    unknown: Vec<UserId>,
}

/// What some of an audience get in place of what all others do.
#[derive(Debug, Default)]
pub(crate) struct Instead {
    users: BTreeSet<UserId>,
    payload: Option<Payload>,
}

impl Audience {
    /// The user whom the conversation is with.
    pub(crate) fn of_user(contact: Contact) -> Self {
        Self {
            conversation: Conversation::User(contact.user_id.clone()),
            roster: None,
            contacts: vec![contact],
            unknown: Vec::new(),
        }
    }

    /// Several have the conversation in common: whoever of them has to wait does so alone.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self.conversation, Conversation::User(_))
    }

    pub(crate) fn group_id(&self) -> Option<GroupId> {
        match self.conversation {
            Conversation::Group(group_id) => Some(group_id),
            Conversation::User(_) | Conversation::Case(_) => None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.contacts.is_empty() && self.unknown.is_empty()
    }

    /// Each of them with what it waits for.
    pub(crate) fn each<'a>(&'a self, sealed: &Sealed) -> Vec<To<'a>> {
        let known = self.contacts.iter().zip(&sealed.holds);
        let known = known.map(|(contact, hold)| To {
            user_id: &contact.user_id,
            hold: *hold,
        });
        let unknown = self.unknown.iter().map(|user_id| To {
            user_id,
            hold: Some(StateReason::UnknownRecipient),
        });
        known.chain(unknown).collect()
    }

    /// As the outbox takes them; of one there is always exactly one.
    pub(crate) fn recipients<'a>(&self, each: &'a [To<'a>]) -> Recipients<'a> {
        match each {
            [one] if !self.is_shared() => Recipients::One(*one),
            all => Recipients::Several(all),
        }
    }
}

impl Instead {
    /// Whoever did not get a message is told nothing of what its text is now, only that something was there to go by: the
    /// numbers of what was said stay without a hole, and late members learn nothing from before (D13, D17).
    pub(crate) async fn of(
        journal: &mut Journal,
        payload: &Payload,
        audience: &Audience,
    ) -> Result<Self, Error> {
        let Payload::Edit { target, .. } = payload else {
            return Ok(Self::default());
        };
        if !audience.is_shared() {
            return Ok(Self::default());
        }
        let me = journal.unlocked().user_id().clone();
        let sent = recipients::find_sent(journal.tx(), &me, target.message_id).await?;
        let had: BTreeSet<UserId> = match sent {
            Some(sent) => recipients::list(journal.tx(), sent.row).await?,
            None => Vec::new(),
        }
        .into_iter()
        .map(|recipient| recipient.user_id)
        .collect();
        let users = audience.contacts.iter().map(|contact| &contact.user_id);
        Ok(Self {
            users: users.filter(|user| !had.contains(*user)).cloned().collect(),
            payload: Some(Payload::Delete {
                target: target.clone(),
            }),
        })
    }

    pub(crate) fn for_user(&self, user_id: &UserId) -> Option<&Payload> {
        self.payload
            .as_ref()
            .filter(|_| self.users.contains(user_id))
    }
}

/// Everyone who hears what is said in a conversation from now on.
pub(crate) async fn everyone(
    journal: &mut Journal,
    conversation: &Conversation,
) -> Result<Audience, Error> {
    match conversation {
        Conversation::User(user) => {
            let contact = contacts::find_in(journal.tx(), user)
                .await?
                .ok_or(Error::UnknownContact)?;
            Ok(Audience::of_user(contact))
        }
        Conversation::Group(group_id) => {
            let group = groups::find_in(journal.tx(), *group_id)
                .await?
                .ok_or(Error::NotFound)?;
            if group.standing != GroupStanding::Member {
                return Err(Error::NotAParticipant);
            }
            let me = journal.unlocked().user_id().clone();
            let others = group.members.into_iter().map(|member| member.user_id);
            let others: Vec<UserId> = others.filter(|user| *user != me).collect();
            these(journal, conversation.clone(), Some(group.digest), &others).await
        }
        Conversation::Case(_) => Err(Error::NotFound),
    }
}

/// Nothing is written to whom one does not want to hear of.
pub(crate) fn check_open(contact: &Contact) -> Result<(), Error> {
    if contact.blocked {
        return Err(Error::invalid("conversation", Reason::Blocked));
    }
    Ok(())
}

/// As for a message that somebody writes now: not to whom one does not want to hear of, and not to nobody.
pub(crate) async fn to_write(
    journal: &mut Journal,
    conversation: &Conversation,
) -> Result<Audience, Error> {
    let audience = everyone(journal, conversation).await?;
    if let (false, [contact]) = (audience.is_shared(), audience.contacts.as_slice()) {
        if contact.removed {
            return Err(Error::UnknownContact);
        }
        check_open(contact)?;
    }
    if audience.is_empty() {
        return Err(Error::invalid("conversation", Reason::Empty));
    }
    Ok(audience)
}

/// Some of those who hear it, whoever else does.
pub(crate) async fn some(
    journal: &mut Journal,
    conversation: &Conversation,
    users: &[UserId],
) -> Result<Audience, Error> {
    let roster = match conversation {
        Conversation::Group(group_id) => groups::find_in(journal.tx(), *group_id)
            .await?
            .map(|group| group.digest),
        Conversation::User(_) | Conversation::Case(_) => None,
    };
    these(journal, conversation.clone(), roster, users).await
}

/// Whoever wrote something there, and nobody else.
pub(crate) async fn author(
    journal: &mut Journal,
    conversation: &Conversation,
    author: &Contact,
) -> Result<Audience, Error> {
    match conversation {
        // What two say to each other about delivery is no part of a patient's record (D164).
        Conversation::User(_) | Conversation::Case(_) => Ok(Audience::of_user(author.clone())),
        Conversation::Group(_) => {
            some(journal, conversation, std::slice::from_ref(&author.user_id)).await
        }
    }
}

pub(crate) async fn these(
    journal: &mut Journal,
    conversation: Conversation,
    roster: Option<Digest>,
    users: &[UserId],
) -> Result<Audience, Error> {
    let mut found: BTreeMap<UserId, Contact> = contacts::find_many_in(journal.tx(), users).await?;
    let mut audience = Audience {
        conversation,
        roster,
        contacts: Vec::with_capacity(users.len()),
        unknown: Vec::new(),
    };
    for user in users {
        match found.remove(user) {
            Some(contact) => audience.contacts.push(contact),
            None => audience.unknown.push(user.clone()),
        }
    }
    Ok(audience)
}
