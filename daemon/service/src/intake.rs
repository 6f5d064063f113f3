//! What an opened message does here, within the transaction of its page (D12, D19).

use std::collections::{BTreeMap, VecDeque};

use connect_core::inbound::Opened;
use connect_core::message::{self, MessageRef, Payload, ReceiptKind, Text};
use connect_proto::hash::sha256;
use connect_proto::ids::UserId;
use connect_store::amendments::{self, Amendment};
use connect_store::codes::EventKind;
use connect_store::conversations::{self, Conversation, ConversationRow};
use connect_store::events::NewEvent;
use connect_store::new::NewMessage;
use connect_store::order::{Mark, Stream};
use connect_store::received::{self, Stored};

use crate::error::Error;
use crate::journal::Journal;
use crate::ordering::{Arrival, Streams};
use crate::senders::Senders;
use crate::{amend, asking, receipts};

/// Whether somebody types is told for this long.
const TYPING_MS: u64 = 60_000;

/// A page on its way into the database.
#[derive(Debug)]
pub(crate) struct Intake<'s> {
    senders: &'s Senders,
    streams: Streams,
    conversations: BTreeMap<UserId, ConversationRow>,
    /// What became of the texts that `take` has not come to yet.
    stored: VecDeque<(Stored, Option<u64>)>,
    /// Messages that are new here, by author: receipts go out for them.
    arrived: BTreeMap<UserId, Vec<MessageRef>>,
    /// Some amendments wait for their message.
    has_early: bool,
}

/// Whether a message is what its sender had said before, if it had said anything under that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Well,
    Conflict(ConversationRow),
}

impl<'s> Intake<'s> {
    pub(crate) async fn begin(journal: &mut Journal, senders: &'s Senders) -> Result<Self, Error> {
        Ok(Self {
            senders,
            streams: Streams::default(),
            conversations: BTreeMap::new(),
            stored: VecDeque::new(),
            arrived: BTreeMap::new(),
            has_early: amendments::has_early(journal.tx()).await?,
        })
    }

    /// Stores the texts of a page together, in its order. What they lead to is `take`'s.
    pub(crate) async fn store(
        &mut self,
        journal: &mut Journal,
        page: impl Iterator<Item = &Opened>,
    ) -> Result<(), Error> {
        let mut texts = Vec::new();
        for opened in page {
            if let Payload::Text(text) = &opened.payload {
                let row = self.conversation(journal, &opened.sender).await?;
                texts.push(new_message(opened, row, text, journal.now_ms()));
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
        let row = self.conversation(journal, &opened.sender).await?;
        let stored = match &opened.payload {
            Payload::Typing(active) => {
                tell_typing(journal, opened, row, *active).await?;
                return Ok(Taken::Well);
            }
            Payload::Text(text) => self.take_text(journal, opened, row, text).await?,
            payload => {
                let stored = note_control(journal, opened, payload).await?;
                if stored == Stored::New {
                    if opened.sequence > 0 {
                        self.arrive(journal, opened, row).await?;
                    }
                    self.follow(journal, opened, row).await?;
                }
                stored
            }
        };
        match stored {
            Stored::New | Stored::Repeat => Ok(Taken::Well),
            Stored::Conflict => Ok(Taken::Conflict(row)),
        }
    }

    /// What the page as a whole leads to.
    pub(crate) async fn finish(self, journal: &mut Journal) -> Result<(), Error> {
        self.streams.finish(journal).await?;
        for (author, messages) in &self.arrived {
            if let Some(contact) = self.senders.contact(author) {
                receipts::queue(journal, contact, ReceiptKind::Delivered, messages).await?;
            }
        }
        Ok(())
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

    async fn take_text(
        &mut self,
        journal: &mut Journal,
        opened: &Opened,
        row: ConversationRow,
        text: &Text,
    ) -> Result<Stored, Error> {
        let new = new_message(opened, row, text, journal.now_ms());
        let stored = self.stored.pop_front();
        let (stored, event) = stored.ok_or(Error::Internal("a text that was not stored"))?;
        let Some(event) = event else {
            return Ok(stored);
        };
        journal.note_event(event);
        if self.arrive(journal, opened, row).await? == Arrival::Late {
            received::move_to_its_place(journal.tx(), &new).await?;
        }
        if self.has_early
            && let Some((message, _)) =
                received::find_in(journal.tx(), new.sender, new.message_id).await?
        {
            amendments::apply_early(journal.tx(), message, row, new.sender, new.message_id).await?;
        }
        let arrived = self.arrived.entry(opened.sender.clone()).or_default();
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
        row: ConversationRow,
    ) -> Result<Arrival, Error> {
        let stream = Stream {
            conversation: row,
            sender: opened.sender.clone(),
            installation_id: opened.installation_id,
        };
        let mark = Mark {
            sequence: opened.sequence,
            message_id: opened.message_id,
            timestamp_ms: opened.timestamp_ms,
        };
        self.streams.arrive(journal, stream, mark).await
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
            Payload::Text(_) | Payload::Typing(_) => return Ok(()),
            Payload::Receipt(receipt) => {
                return receipts::apply(journal, &opened.sender, row, receipt).await;
            }
            Payload::ResendRequest(asked) => {
                return match self.senders.contact(&opened.sender) {
                    Some(contact) => asking::answer(journal, contact, row, asked).await,
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

fn new_message<'a>(
    opened: &'a Opened,
    conversation: ConversationRow,
    text: &'a Text,
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
        text: &text.body,
        reply_to: text.reply_to.as_ref().map(|reference| reference.message_id),
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

/// An old one says nothing about now. It is told by the relay's clock, and never refused for its date (D30).
async fn tell_typing(
    journal: &mut Journal,
    opened: &Opened,
    row: ConversationRow,
    active: bool,
) -> Result<(), Error> {
    let offset_ms = journal.unlocked().uplink.clock_offset_ms();
    let now_ms = journal.now_ms().saturating_add_signed(offset_ms);
    if now_ms.abs_diff(opened.timestamp_ms) > TYPING_MS {
        return Ok(());
    }
    let event = NewEvent {
        conversation: Some(row),
        user_id: Some(opened.sender.as_str()),
        range: Some((u64::from(active), u64::from(active))),
        ..NewEvent::of(EventKind::Typing, journal.now_ms())
    };
    Ok(journal.append(&event).await?)
}
