//! What an opened message does here, within the transaction of its page (D12, D19).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use connect_core::attachment::Attachment;
use connect_core::inbound::Opened;
use connect_core::message::{self, MessageRef, Payload, ReceiptKind};
use connect_core::refusal::Refusal;
use connect_proto::hash::sha256;
use connect_proto::ids::{GroupId, MessageId, UserId};
use connect_store::amendments::{self, Amendment};
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::new::NewMessage;
use connect_store::order::{Mark, Stream};
use connect_store::received::{self, Stored};

use crate::admission::{self, Admitted};
use crate::attachments::download;
use crate::casework::share;
use crate::error::Error;
use crate::journal::Journal;
use crate::ordering::{Arrival, Streams};
use crate::senders::Senders;
use crate::{amend, asking, contacts, receipts, typing, unopened};

/// A page on its way into the database.
#[derive(Debug)]
pub(crate) struct Intake<'s> {
    senders: &'s Senders,
    streams: Streams,
    conversations: BTreeMap<UserId, ConversationRow>,
    /// Nobody could have written to us before we were there.
    is_first: bool,
    /// What became of the texts that `take` has not come to yet.
    stored: VecDeque<(Stored, Option<u64>)>,
    /// Messages that are new here, by author: receipts go out for them.
    arrived: BTreeMap<(Option<GroupId>, UserId), Vec<MessageRef>>,
    /// Some amendments wait for their message.
    has_early: bool,
    /// Some messages had come before, sealed to a key that is not here.
    has_unopened: bool,
    /// Those who wrote and had been taken off the list.
    back: BTreeSet<UserId>,
}

/// Whether a message is what its sender had said before, if it had said anything under that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Well,
    Conflict(ConversationRow),
    /// It is in no group that its sender may write into.
    Refused(Refusal),
}

impl<'s> Intake<'s> {
    pub(crate) async fn begin(journal: &mut Journal, senders: &'s Senders) -> Result<Self, Error> {
        Ok(Self {
            senders,
            streams: Streams::default(),
            conversations: BTreeMap::new(),
            is_first: journal.unlocked().me().account.bundle_revision <= 1,
            stored: VecDeque::new(),
            arrived: BTreeMap::new(),
            has_early: amendments::has_early(journal.tx()).await?,
            has_unopened: journal.unlocked().counters.unopened() > 0,
            back: BTreeSet::new(),
        })
    }

    /// Stores the texts of a page together, in its order, but for those of groups: whether they may be taken may depend on
    /// what comes before them. What they lead to is `take`'s.
    pub(crate) async fn store(
        &mut self,
        journal: &mut Journal,
        page: impl Iterator<Item = &Opened>,
    ) -> Result<(), Error> {
        let mut texts = Vec::new();
        for opened in page {
            if opened.group_id.is_none()
                && let Some(shown) = shown(&opened.payload)
            {
                let row = self.conversation(journal, &opened.sender).await?;
                texts.push(new_message(opened, row, shown, journal.now_ms()));
            }
        }
        self.stored = received::add_messages(journal.tx(), &texts).await?.into();
        Ok(())
    }

    /// Called with each message of the page, in the same order.
    pub(crate) async fn take(
        &mut self,
        journal: &mut Journal,
        opened: &Opened,
    ) -> Result<Taken, Error> {
        let place = match self.place(journal, opened).await? {
            Ok(place) => place,
            Err(refusal) => return Ok(Taken::Refused(refusal)),
        };
        let row = place.row;
        let stored = match &opened.payload {
            Payload::Typing(active) => {
                let at = (opened.timestamp_ms, *active);
                typing::hear(journal, row, &opened.sender, at).await?;
                return Ok(Taken::Well);
            }
            Payload::Text(_) => self.take_shown(journal, opened, place).await?,
            Payload::Attachment(said) => self.take_attachment(journal, opened, place, said).await?,
            payload => {
                let mut stored = note_control(journal, opened, payload).await?;
                if stored == Stored::Conflict && takes_itself_back(payload, opened) {
                    stored = self.take_back(journal, opened, row).await?;
                }
                if stored == Stored::New {
                    if opened.sequence > 0 {
                        self.arrive(journal, opened, place).await?;
                    }
                    self.follow(journal, opened, row).await?;
                }
                stored
            }
        };
        if self.has_unopened {
            unopened::settle(journal, &opened.sender, opened.message_id).await?;
        }
        match stored {
            Stored::New | Stored::Repeat => Ok(Taken::Well),
            Stored::Conflict => Ok(Taken::Conflict(row)),
        }
    }

    /// A message that is new here by another way: its author is told.
    pub(crate) fn note_arrived(&mut self, message: MessageRef) {
        let arrived = self
            .arrived
            .entry((None, message.sender.clone()))
            .or_default();
        arrived.push(message);
    }

    /// What the page as a whole leads to.
    pub(crate) async fn finish(self, journal: &mut Journal) -> Result<(), Error> {
        self.streams.finish(journal).await?;
        for user in &self.back {
            contacts::put_back(journal, user).await?;
        }
        for ((group, author), messages) in &self.arrived {
            let known = match self.senders.contact(author) {
                Some(contact) => Some(contact.clone()),
                None => connect_store::contacts::find_in(journal.tx(), author).await?,
            };
            if let Some(contact) = &known {
                let conversation = match group {
                    Some(group) => Conversation::Group(*group),
                    None => Conversation::User(author.clone()),
                };
                let kind = ReceiptKind::Delivered;
                receipts::queue(journal, &conversation, contact, kind, messages).await?;
            }
        }
        Ok(())
    }

    async fn place(
        &mut self,
        journal: &mut Journal,
        opened: &Opened,
    ) -> Result<Result<Admitted, Refusal>, Error> {
        match opened.group_id {
            Some(group) => admission::admit(journal, opened, group).await,
            None => Ok(Ok(Admitted {
                row: self.conversation(journal, &opened.sender).await?,
                from_first: self.is_first,
            })),
        }
    }

    async fn conversation(
        &mut self,
        journal: &mut Journal,
        sender: &UserId,
    ) -> Result<ConversationRow, Error> {
        if let Some(row) = self.conversations.get(sender) {
            return Ok(*row);
        }
        let conversation = Conversation::User(sender.clone());
        let row = conversations::ensure(journal.tx(), &conversation).await?;
        self.conversations.insert(sender.clone(), row);
        Ok(row)
    }

    /// The very same message has the very same attachment.
    async fn take_attachment(
        &mut self,
        journal: &mut Journal,
        opened: &Opened,
        place: Admitted,
        said: &Attachment,
    ) -> Result<Stored, Error> {
        match self.take_shown(journal, opened, place).await? {
            Stored::New => {
                download::take_in(journal, opened, said).await?;
                Ok(Stored::New)
            }
            Stored::Repeat if !download::is_as_said(journal, opened, said).await? => {
                Ok(Stored::Conflict)
            }
            stored => Ok(stored),
        }
    }

    async fn take_shown(
        &mut self,
        journal: &mut Journal,
        opened: &Opened,
        place: Admitted,
    ) -> Result<Stored, Error> {
        let row = place.row;
        let shown = shown(&opened.payload).ok_or(Error::Internal("a text that is none"))?;
        let new = new_message(opened, row, shown, journal.now_ms());
        let stored = match opened.group_id {
            Some(_) => Some(received::add_message(journal.tx(), &new).await?),
            None => self.stored.pop_front(),
        };
        let (stored, event) = stored.ok_or(Error::Internal("a text that was not stored"))?;
        let Some(event) = event else {
            return Ok(stored);
        };
        journal.note_event(event);
        let sender = self.senders.contact(&opened.sender);
        if sender.is_some_and(|contact| contact.removed) {
            self.back.insert(opened.sender.clone());
        }
        if self.arrive(journal, opened, place).await? == Arrival::Late {
            received::move_to_its_place(journal.tx(), &new).await?;
        }
        if self.has_early
            && let Some((message, _)) =
                received::find_in(journal.tx(), new.sender, new.message_id).await?
        {
            amendments::apply_early(journal.tx(), message, row, new.sender, new.message_id).await?;
        }
        let arrived = self
            .arrived
            .entry((opened.group_id, opened.sender.clone()))
            .or_default();
        arrived.push(MessageRef {
            sender: opened.sender.clone(),
            message_id: opened.message_id,
            timestamp_ms: opened.timestamp_ms,
        });
        Ok(stored)
    }

    async fn arrive(
        &mut self,
        journal: &mut Journal,
        opened: &Opened,
        place: Admitted,
    ) -> Result<Arrival, Error> {
        let stream = Stream {
            conversation: place.row,
            sender: opened.sender.clone(),
            installation_id: opened.installation_id,
        };
        let mark = Mark {
            sequence: opened.sequence,
            message_id: opened.message_id,
            timestamp_ms: opened.timestamp_ms,
        };
        let from_first = place.from_first;
        self.streams.arrive(journal, stream, mark, from_first).await
    }

    /// Of a message that is here already. Where it is not, something else has come under its id.
    async fn take_back(
        &mut self,
        journal: &mut Journal,
        opened: &Opened,
        row: ConversationRow,
    ) -> Result<Stored, Error> {
        let (sender, id) = (&opened.sender, opened.message_id);
        let found = received::find_in(journal.tx(), sender, id).await?;
        if found.is_none_or(|(_, in_conversation)| in_conversation != row) {
            return Ok(Stored::Conflict);
        }
        self.follow(journal, opened, row).await?;
        Ok(Stored::Repeat)
    }

    /// Does what a control says.
    async fn follow(
        &mut self,
        journal: &mut Journal,
        opened: &Opened,
        row: ConversationRow,
    ) -> Result<(), Error> {
        let amendment = |text| Amendment {
            sequence: opened.sequence,
            timestamp_ms: opened.timestamp_ms,
            text,
        };
        let (target, amendment) = match &opened.payload {
            // A case's changes are signed, inside the case (D14).
            Payload::Text(_)
            | Payload::Attachment(_)
            | Payload::Typing(_)
            | Payload::GroupControl(_)
            | Payload::CaseControl(_)
            | Payload::CaseField(_) => return Ok(()),
            Payload::CaseKeyShare(share) => {
                return share::take(journal, &opened.sender, share).await;
            }
            Payload::Receipt(receipt) => {
                return receipts::apply(journal, &opened.sender, row, receipt).await;
            }
            Payload::ResendRequest(asked) => {
                return match self.senders.contact(&opened.sender) {
                    Some(contact) => {
                        let named = conversations::find_named(journal.tx(), row).await?;
                        asking::answer(journal, contact, (&named, row), asked).await
                    }
                    None => Ok(()),
                };
            }
            Payload::Edit { target, text } => (target, amendment(Some(text.body.as_str()))),
            Payload::Delete { target } => (target, amendment(None)),
        };
        self.has_early = true;
        amend::apply(journal, &opened.sender, row, target.message_id, amendment).await
    }
}

/// What was asked for once more and has been withdrawn meanwhile comes as its own deletion, under its own id.
fn takes_itself_back(payload: &Payload, opened: &Opened) -> bool {
    match payload {
        Payload::Delete { target } => {
            target.sender == opened.sender && target.message_id == opened.message_id
        }
        _ => false,
    }
}

/// What is shown of a message: its text or caption, and what it answers.
fn shown(payload: &Payload) -> Option<(&str, Option<MessageId>)> {
    match payload {
        Payload::Text(text) => {
            let reply_to = text.reply_to.as_ref().map(|reference| reference.message_id);
            Some((&text.body, reply_to))
        }
        Payload::Attachment(said) => Some((&said.caption, None)),
        _ => None,
    }
}

fn new_message<'a>(
    opened: &'a Opened,
    conversation: ConversationRow,
    (text, reply_to): (&'a str, Option<MessageId>),
    stored_ms: u64,
) -> NewMessage<'a> {
    NewMessage {
        conversation,
        sender: &opened.sender,
        message_id: opened.message_id,
        timestamp_ms: opened.timestamp_ms,
        stored_ms,
        installation_id: opened.installation_id,
        sequence: opened.sequence,
        retired_key: opened.retired_key,
        text,
        reply_to,
    }
}

async fn note_control(
    journal: &mut Journal,
    opened: &Opened,
    payload: &Payload,
) -> Result<Stored, Error> {
    let said = [
        message::encode(payload).as_slice(),
        &opened.timestamp_ms.to_be_bytes(),
        &opened.sequence.to_be_bytes(),
        opened.installation_id.as_bytes(),
    ]
    .concat();
    let now_ms = journal.now_ms();
    let (sender, id) = (&opened.sender, opened.message_id);
    Ok(received::add_control(journal.tx(), sender, id, &sha256(&said), now_ms).await?)
}
