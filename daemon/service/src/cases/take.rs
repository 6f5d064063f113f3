//! An entry that came in: opened, held against the case as it stands, and stored (D14, D16). All within the transaction of its
//! page, since the page may bring the key that it takes.

use connect_core::case::rules::{check_author, check_epoch};
use connect_core::inbound;
use connect_core::message::{self, MessageRef, Payload};
use connect_core::refusal::Refusal;
use connect_core::signed::open::{self, Opened, Signer};
use connect_proto::hash::sha256;
use connect_proto::ids::MessageId;
use connect_proto::wire;
use connect_store::amendments::{self, Amendment};
use connect_store::cases::entries::{self, NewEntry};
use connect_store::cases::fields::{self, Added, NewField};
use connect_store::cases::{self, Case, controls, keys};
use connect_store::codes::EventKind;
use connect_store::conversations::ConversationRow;
use connect_store::new::NewMessage;
use connect_store::order::{self, Mark, Stream};
use connect_store::received::{self, Stored};
use connect_store::row::MAX_INTEGER;

use super::revisions;
use crate::amend;
use crate::attachments::download;
use crate::casework::revise;
use crate::casework::write::is_lasting;
use crate::error::Error;
use crate::journal::Journal;
use crate::ordering::{Arrival, Streams};
use crate::senders::Senders;
use crate::typing;

/// What became of an entry.
#[derive(Debug)]
pub(crate) enum Taken {
    /// With the message that it brought, where that is new here: its author is told.
    Well(Option<MessageRef>),
    /// Something else had come under its id.
    Conflict(ConversationRow, Box<Opened>),
    Refused(Refusal),
}

impl From<Refusal> for Taken {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What came at that time, judged by the keys as they stood then.
pub(crate) async fn take(
    journal: &mut Journal,
    senders: &Senders,
    envelope: &wire::Envelope,
    at_ms: u64,
) -> Result<Taken, Error> {
    let me = journal.unlocked().user_id().clone();
    let header = match open::read_header(envelope, &me) {
        Ok(header) if header.timestamp_ms <= MAX_INTEGER => header,
        Ok(_) => return Ok(Refusal::MalformedEnvelope.into()),
        Err(refusal) => return Ok(refusal.into()),
    };
    let Some(case) = cases::find_in(journal.tx(), header.outside.case_id).await? else {
        return Ok(Refusal::UnknownCase.into());
    };
    let known = keys::list_of(journal.tx(), case.row, header.outside.epoch).await?;
    let opened = open::decrypt(&header.outside, &known).and_then(|inside| {
        inside.check_header(&header)?;
        verify(inside, senders, at_ms)
    });
    let opened = match opened {
        Ok(opened) if opened.sequence <= MAX_INTEGER => opened,
        Ok(_) => return Ok(Refusal::MalformedInner.into()),
        Err(refusal) => return Ok(refusal.into()),
    };
    let taken = accept(journal, &case, &opened, at_ms, envelope.ephemeral).await?;
    if let (Taken::Well(_), Some(sealed), false) =
        (&taken, &envelope.case_sealed, envelope.ephemeral)
    {
        let new = NewEntry {
            sender: &opened.sender,
            message_id: opened.message_id,
            lasting: is_lasting(&opened.payload),
            ours: false,
            sealed,
            stored_ms: journal.now_ms(),
            place: None,
        };
        entries::put(journal.tx(), case.row, new).await?;
    }
    Ok(taken)
}

/// By the keys of the author whom it names.
pub(crate) fn verify(
    inside: open::Unverified,
    senders: &Senders,
    at_ms: u64,
) -> Result<Opened, Refusal> {
    let keys = senders.signers(&inside.sender, at_ms);
    let signers: Vec<Signer<'_>> = keys
        .iter()
        .map(|(key, standing)| Signer {
            sign_key: &key.sign_key,
            box_key: &key.box_key,
            standing: *standing,
        })
        .collect();
    inside.verify(&signers)
}

async fn accept(
    journal: &mut Journal,
    case: &Case,
    opened: &Opened,
    at_ms: u64,
    ephemeral: bool,
) -> Result<Taken, Error> {
    // A newer epoch that lost its place has nobody write under it.
    if case
        .control
        .as_ref()
        .is_some_and(|(control, _)| control.epoch > opened.epoch)
    {
        let followed_ms = controls::followed_ms(journal.tx(), case.row, opened.epoch).await?;
        if let Err(refusal) = check_epoch(followed_ms, at_ms) {
            return Ok(refusal.into());
        }
    }
    if let Payload::CaseControl(control) = &opened.payload {
        return revisions::take(journal, case, opened, control).await;
    }
    let Some((current, _)) = &case.control else {
        return Ok(Refusal::BrokenControlChain.into());
    };
    let named = match &opened.roster {
        Some(digest) => controls::find(journal.tx(), case.row, digest).await?,
        None => None,
    };
    let author = &opened.sender;
    if let Err(refusal) = check_author(author, named.as_ref(), current, case.closed_ms, at_ms) {
        return Ok(refusal.into());
    }
    match &opened.payload {
        Payload::Text(text) => {
            let reply_to = text.reply_to.as_ref().map(|reference| reference.message_id);
            take_shown(journal, case, opened, (&text.body, reply_to)).await
        }
        Payload::Attachment(said) => {
            let taken = take_shown(journal, case, opened, (&said.caption, None)).await?;
            let boxed = as_boxed(opened);
            match &taken {
                Taken::Well(Some(_)) => download::take_in(journal, &boxed, said).await?,
                Taken::Well(None) if !download::is_as_said(journal, &boxed, said).await? => {
                    return Ok(settled(Stored::Conflict, case, opened));
                }
                _ => {}
            }
            Ok(taken)
        }
        Payload::Edit { target, .. } | Payload::Delete { target } if target.sender != *author => {
            Ok(Refusal::MalformedPayload.into())
        }
        Payload::Edit { target, text } => {
            take_amendment(journal, case, opened, target, Some(&text.body)).await
        }
        Payload::Delete { target } => take_amendment(journal, case, opened, target, None).await,
        Payload::CaseField(field) => {
            if !fields::follows(journal.tx(), case.row, field).await? {
                return Ok(Refusal::BrokenFieldChain.into());
            }
            let stored = note(journal, case, opened).await?;
            if stored != Stored::New {
                return Ok(settled(stored, case, opened));
            }
            take_field(journal, case, opened, field).await?;
            Ok(Taken::Well(None))
        }
        Payload::Typing(active) if ephemeral => {
            let at = (opened.timestamp_ms, *active);
            typing::hear(journal, case.conversation, author, at).await?;
            Ok(Taken::Well(None))
        }
        _ => Ok(Refusal::UnsupportedPayload.into()),
    }
}

pub(super) fn settled(stored: Stored, case: &Case, opened: &Opened) -> Taken {
    match stored {
        Stored::Conflict => Taken::Conflict(case.conversation, Box::new(opened.clone())),
        Stored::New | Stored::Repeat => Taken::Well(None),
    }
}

pub(crate) fn new_message<'a>(
    case: &Case,
    opened: &'a Opened,
    (text, reply_to): (&'a str, Option<MessageId>),
    stored_ms: u64,
) -> NewMessage<'a> {
    NewMessage {
        conversation: case.conversation,
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

/// As what carries an attachment comes in a box.
fn as_boxed(opened: &Opened) -> inbound::Opened {
    inbound::Opened {
        message_id: opened.message_id,
        timestamp_ms: opened.timestamp_ms,
        sender: opened.sender.clone(),
        group_id: None,
        installation_id: opened.installation_id,
        sequence: opened.sequence,
        roster: opened.roster,
        retired_key: opened.retired_key,
        payload: opened.payload.clone(),
    }
}

async fn take_shown(
    journal: &mut Journal,
    case: &Case,
    opened: &Opened,
    shown: (&str, Option<MessageId>),
) -> Result<Taken, Error> {
    let new = new_message(case, opened, shown, journal.now_ms());
    let (stored, event) = received::add_message(journal.tx(), &new).await?;
    let Some(event) = event else {
        return Ok(settled(stored, case, opened));
    };
    journal.note_event(event);
    if arrive(journal, case, opened).await? == Arrival::Late {
        received::move_to_its_place(journal.tx(), &new).await?;
    }
    if amendments::has_early(journal.tx()).await?
        && let Some((message, row)) =
            received::find_in(journal.tx(), new.sender, new.message_id).await?
    {
        amendments::apply_early(journal.tx(), message, row, new.sender, new.message_id).await?;
    }
    Ok(Taken::Well(Some(MessageRef {
        sender: opened.sender.clone(),
        message_id: opened.message_id,
        timestamp_ms: opened.timestamp_ms,
    })))
}

async fn take_amendment(
    journal: &mut Journal,
    case: &Case,
    opened: &Opened,
    target: &MessageRef,
    text: Option<&str>,
) -> Result<Taken, Error> {
    let stored = note(journal, case, opened).await?;
    if stored != Stored::New && !takes_itself_back(journal, case, opened, target, text).await? {
        return Ok(settled(stored, case, opened));
    }
    let amendment = Amendment {
        sequence: opened.sequence,
        timestamp_ms: opened.timestamp_ms,
        text,
    };
    let id = target.message_id;
    amend::apply(journal, &opened.sender, case.conversation, id, amendment).await?;
    Ok(Taken::Well(None))
}

/// What was asked for once more and has been withdrawn meanwhile comes as its own deletion, under its own id: also of a
/// message that is here already.
async fn takes_itself_back(
    journal: &mut Journal,
    case: &Case,
    opened: &Opened,
    target: &MessageRef,
    text: Option<&str>,
) -> Result<bool, Error> {
    let id = opened.message_id;
    if text.is_some() || target.message_id != id {
        return Ok(false);
    }
    let found = received::find_in(journal.tx(), &opened.sender, id).await?;
    Ok(found.is_some_and(|(_, row)| row == case.conversation))
}

/// Of all that it says.
pub(crate) fn digest(opened: &Opened) -> [u8; 32] {
    let said = [
        message::encode(&opened.payload).as_slice(),
        &opened.timestamp_ms.to_be_bytes(),
        &opened.sequence.to_be_bytes(),
        opened.installation_id.as_bytes(),
        opened.case_id.as_bytes(),
    ]
    .concat();
    sha256(&said)
}

/// What is no message to show comes once too.
pub(super) async fn note(
    journal: &mut Journal,
    case: &Case,
    opened: &Opened,
) -> Result<Stored, Error> {
    let now_ms = journal.now_ms();
    let (sender, id) = (&opened.sender, opened.message_id);
    let stored = received::add_control(journal.tx(), sender, id, &digest(opened), now_ms).await?;
    if stored == Stored::New {
        arrive(journal, case, opened).await?;
    }
    Ok(stored)
}

async fn arrive(journal: &mut Journal, case: &Case, opened: &Opened) -> Result<Arrival, Error> {
    let stream = Stream {
        conversation: case.conversation,
        sender: opened.sender.clone(),
        installation_id: opened.installation_id,
    };
    let mark = Mark {
        sequence: opened.sequence,
        message_id: opened.message_id,
        timestamp_ms: opened.timestamp_ms,
    };
    // The revision that brings one in is not stored yet.
    let first = match (
        controls::first_revision(journal.tx(), case.row).await?,
        &opened.payload,
    ) {
        (None, Payload::CaseControl(control)) => Some(control.revision),
        (first, _) => first,
    };
    // Of what was written before one joined nothing is missing: the history brings it.
    if first > Some(1) && order::find_highest(journal.tx(), &stream).await?.is_none() {
        let before = Mark {
            sequence: mark.sequence.saturating_sub(1),
            ..mark
        };
        order::put_highest(journal.tx(), &stream, before).await?;
    }
    let mut streams = Streams::default();
    // Nobody could have written to us before our first keys were there.
    let is_first = journal.unlocked().me().account.bundle_revision <= 1;
    let arrival = streams.arrive(journal, stream, mark, is_first).await?;
    streams.finish(journal).await?;
    Ok(arrival)
}

async fn take_field(
    journal: &mut Journal,
    case: &Case,
    opened: &Opened,
    field: &connect_core::case::field::Field,
) -> Result<(), Error> {
    let new = NewField {
        field,
        author: &opened.sender,
        written_ms: opened.timestamp_ms,
        stored_ms: journal.now_ms(),
    };
    let kind = match fields::add(journal.tx(), case.row, new).await? {
        Added::Newest => EventKind::CaseFieldChanged,
        Added::Contested => EventKind::CaseConflict,
        Added::Repeat | Added::Broken => return Ok(()),
    };
    let of = (field.name.as_str(), field.revision);
    revise::tell_of_field(journal, case, of, &opened.sender, kind).await
}
