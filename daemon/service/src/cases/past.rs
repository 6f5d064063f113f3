//! What was written before the account came in, as it is taken in: the revisions from the one that brought it in back to the
//! first, then all else, some of it at a time (D16).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connect_core::case::control::Control;
use connect_core::message::Payload;
use connect_core::signed::open::Opened;
use connect_proto::hash::Digest;
use connect_proto::ids::{CaseId, MessageId, UserId};
use connect_proto::wire;
use connect_store::amendments::{self, Amendment};
use connect_store::cases::controls::NewControl;
use connect_store::cases::entries::{self, NewEntry};
use connect_store::cases::fields::{self, NewField};
use connect_store::cases::{self, Case, controls, history, past};
use connect_store::new::NewMessage;
use connect_store::order::{self, Mark, Stream};
use connect_store::received;

use super::take::{digest, new_message};
use super::waiting;
use crate::attachments::download;
use crate::casework::revise;
use crate::casework::write::is_lasting;
use crate::error::Error;
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// Taken in by one transaction: nobody waits long for the database.
const AT_ONCE: usize = 250;

/// An entry of a log that its author wrote.
pub(super) struct Past {
    pub(super) opened: Opened,
    pub(super) sealed: wire::CaseSealed,
    /// Its place in the log, from 1.
    pub(super) nth: i64,
}

/// A history, without what did not open or was not signed by its author.
pub(super) struct Log {
    pub(super) past: Vec<Past>,
    /// With all that was left out.
    pub(super) length: i64,
}

/// Takes a history in, in as many transactions as it takes. One that is cut off begins once more, and what is here already
/// stays as it is.
pub(super) async fn take_in(
    unlocked: &Arc<Unlocked>,
    case_id: CaseId,
    log: Log,
) -> Result<(), Error> {
    let Some(chain) = take_revisions(unlocked, case_id, &log.past).await? else {
        return Ok(());
    };
    for some in log.past.chunks(AT_ONCE) {
        if unlocked.ending.is_cancelled() {
            return Ok(());
        }
        let mut journal = Journal::begin(unlocked).await?;
        let Some(case) = awaiting(&mut journal, case_id).await? else {
            return Ok(());
        };
        let of = case.conversation;
        let places = history::places(journal.tx(), case.row, of, log.length).await?;
        for one in some.iter().filter(|one| chain.allows(&one.opened)) {
            take_one(&mut journal, &case, one, places).await?;
        }
        past::settle(journal.tx(), case.conversation).await?;
        journal.commit().await?;
    }
    finish(unlocked, case_id).await
}

/// The case, as long as its history is still wanted.
async fn awaiting(journal: &mut Journal, case_id: CaseId) -> Result<Option<Case>, Error> {
    let case = cases::find_in(journal.tx(), case_id).await?;
    Ok(case.filter(|case| case.awaits_history && case.left_ms.is_none()))
}

async fn finish(unlocked: &Arc<Unlocked>, case_id: CaseId) -> Result<(), Error> {
    let mut journal = Journal::begin(unlocked).await?;
    let Some(case) = awaiting(&mut journal, case_id).await? else {
        return Ok(());
    };
    history::end(journal.tx(), case.row, true).await?;
    // Of copies that were told before this.
    download::fetch_copies(&mut journal, case.row, None).await?;
    waiting::reconsider_alone(&mut journal, case_id).await?;
    revise::tell_as_it_is(&mut journal, case_id).await?;
    Ok(journal.commit().await?)
}

/// Every revision that the one in force follows on, as far as they are known.
#[derive(Default)]
struct Chain {
    revisions: BTreeMap<Digest, Control>,
    everyone: BTreeSet<UserId>,
}

impl Chain {
    fn add(&mut self, control: &Control) {
        let users = control.roster.iter().map(|one| one.user_id.clone());
        self.everyone.extend(users);
        self.revisions.insert(control.digest(), control.clone());
    }

    /// Its author took part by the revision that it names; where that one is not here, by any that is.
    fn allows(&self, opened: &Opened) -> bool {
        if let Payload::CaseControl(control) = &opened.payload {
            return self.revisions.contains_key(&control.digest());
        }
        let named = opened.roster.as_ref();
        match named.and_then(|digest| self.revisions.get(digest)) {
            Some(named) => named.has(&opened.sender),
            None => self.everyone.contains(&opened.sender),
        }
    }
}

/// Only what leads back, from one to the one before it, from the revision in force. None where no history is wanted any
/// more.
async fn take_revisions(
    unlocked: &Arc<Unlocked>,
    case_id: CaseId,
    all: &[Past],
) -> Result<Option<Chain>, Error> {
    let mut said: BTreeMap<Digest, (&Control, &UserId)> = BTreeMap::new();
    for one in all {
        if let Payload::CaseControl(control) = &one.opened.payload {
            said.insert(control.digest(), (control, &one.opened.sender));
        }
    }
    let mut chain = Chain::default();
    let mut after = None;
    loop {
        let mut journal = Journal::begin(unlocked).await?;
        let Some(case) = awaiting(&mut journal, case_id).await? else {
            return Ok(None);
        };
        let Some(in_force) = after.take().or_else(|| case.control.clone()) else {
            return Ok(None);
        };
        after = go_back(&mut journal, &case, &said, (in_force, &mut chain)).await?;
        journal.commit().await?;
        if after.is_none() {
            return Ok(Some(chain));
        }
    }
}

/// Takes in some of those before. Returns where to go on, unless the first is here or the next is not to be had.
async fn go_back(
    journal: &mut Journal,
    case: &Case,
    said: &BTreeMap<Digest, (&Control, &UserId)>,
    (mut after, chain): ((Control, UserId), &mut Chain),
) -> Result<Option<(Control, UserId)>, Error> {
    for _ in 0..AT_ONCE {
        chain.add(&after.0);
        let Some(digest) = after.0.previous else {
            return Ok(None);
        };
        if let Some(known) = controls::find_authored(journal.tx(), case.row, &digest).await? {
            after = known;
            continue;
        }
        let Some((control, author)) = leads_to(said, &after) else {
            return Ok(None);
        };
        let new = NewControl {
            control,
            author,
            introduced_by: case.introduced_by.as_ref(),
            stored_ms: journal.now_ms(),
        };
        controls::add(journal.tx(), case.row, new).await?;
        after = (control.clone(), author.clone());
    }
    Ok(Some(after))
}

/// The revision that this one says it follows on, where its author could do that.
fn leads_to<'p>(
    all: &BTreeMap<Digest, (&'p Control, &'p UserId)>,
    (after, author): &(Control, UserId),
) -> Option<(&'p Control, &'p UserId)> {
    let (before, by) = *all.get(&after.previous?)?;
    let is_allowed = before.check_next(after, author).is_ok()
        && (before.previous.is_some() || before.check_first(by).is_ok());
    is_allowed.then_some((before, by))
}

async fn take_one(
    journal: &mut Journal,
    case: &Case,
    one: &Past,
    (message_place, entry_place): (i64, i64),
) -> Result<(), Error> {
    let opened = &one.opened;
    let now_ms = journal.now_ms();
    let place = message_place + one.nth;
    let entry = NewEntry {
        sender: &opened.sender,
        message_id: opened.message_id,
        lasting: is_lasting(&opened.payload),
        ours: false,
        sealed: &one.sealed,
        stored_ms: now_ms,
        place: Some(entry_place + one.nth),
    };
    entries::put(journal.tx(), case.row, entry).await?;
    match &opened.payload {
        Payload::Text(text) => {
            let reply_to = text.reply_to.as_ref().map(|reference| reference.message_id);
            let new = new_message(case, opened, (&text.body, reply_to), now_ms);
            show(journal, &new, place).await?;
        }
        Payload::Attachment(said) => {
            let new = new_message(case, opened, (&said.caption, None), now_ms);
            show(journal, &new, place).await?;
            download::take_in_past(journal, &opened.sender, opened.message_id, said).await?;
        }
        Payload::Edit { target, text } => {
            let text = Some(text.body.as_str());
            amend(journal, case, opened, (target.message_id, text)).await?;
        }
        Payload::Delete { target } => {
            amend(journal, case, opened, (target.message_id, None)).await?;
        }
        Payload::CaseField(field) => {
            let new = NewField {
                field,
                author: &opened.sender,
                written_ms: opened.timestamp_ms,
                stored_ms: now_ms,
            };
            fields::add(journal.tx(), case.row, new).await?;
        }
        _ => {}
    }
    if !matches!(opened.payload, Payload::Text(_) | Payload::Attachment(_)) {
        let (sender, id) = (&opened.sender, opened.message_id);
        received::add_control(journal.tx(), sender, id, &digest(opened), now_ms).await?;
    }
    mark(journal, case, opened).await
}

async fn show(journal: &mut Journal, new: &NewMessage<'_>, place: i64) -> Result<(), Error> {
    let is_ours = new.sender == journal.unlocked().user_id();
    if !past::add_message(journal.tx(), new, is_ours, place).await? {
        past::move_message(journal.tx(), new, place).await?;
    }
    // What its author said of it may have come first, in this history or while that was on its way.
    if let Some((message, _)) = received::find_in(journal.tx(), new.sender, new.message_id).await? {
        let (of, author) = (new.conversation, new.sender);
        amendments::apply_early(journal.tx(), message, of, author, new.message_id).await?;
    }
    Ok(())
}

async fn amend(
    journal: &mut Journal,
    case: &Case,
    opened: &Opened,
    (target, text): (MessageId, Option<&str>),
) -> Result<(), Error> {
    let (of, author) = (case.conversation, &opened.sender);
    let amendment = Amendment {
        sequence: opened.sequence,
        timestamp_ms: opened.timestamp_ms,
        text,
    };
    match received::find_in(journal.tx(), author, target).await? {
        Some((message, found_in)) if found_in == of => {
            amendments::apply(journal.tx(), message, amendment).await?;
        }
        Some(_) => {}
        None => {
            let early = (amendment, journal.now_ms());
            amendments::keep_early(journal.tx(), of, author, target, early).await?;
        }
    }
    Ok(())
}

/// How far each author had come: what is missing after that is missing here too.
async fn mark(journal: &mut Journal, case: &Case, opened: &Opened) -> Result<(), Error> {
    let stream = Stream {
        conversation: case.conversation,
        sender: opened.sender.clone(),
        installation_id: opened.installation_id,
    };
    let known = order::find_highest(journal.tx(), &stream).await?;
    if known.is_none_or(|known| known.sequence < opened.sequence) {
        let mark = Mark {
            sequence: opened.sequence,
            message_id: opened.message_id,
            timestamp_ms: opened.timestamp_ms,
        };
        order::put_highest(journal.tx(), &stream, mark).await?;
    }
    Ok(())
}
