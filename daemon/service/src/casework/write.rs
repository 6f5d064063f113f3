//! An entry on its way out: sealed under the epoch in force, kept for whoever joins later, queued for all others (D14, D20).

use connect_core::case::control::Control;
use connect_core::case::rules::check_epoch;
use connect_core::message::{self, Payload};
use connect_core::signed::entry::{self, Author, Entry};
use connect_proto::hash::Digest;
use connect_proto::ids::{CaseId, InstallationId, MessageId, UserId};
use connect_proto::{codec, wire};
use connect_store::cases::entries::{self, NewEntry};
use connect_store::cases::{self, Case, controls, keys};
use connect_store::codes::StateReason;
use connect_store::contacts;
use connect_store::conversations::{self, Conversation};
use connect_store::outgoing::{Control as Outgoing, Recipients, To};

use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::seal::hold_reason;

/// What is to be sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) message_id: MessageId,
    pub(crate) timestamp_ms: u64,
    pub(crate) sequence: u64,
    /// None: this one.
    pub(crate) installation_id: Option<InstallationId>,
    pub(crate) ephemeral: bool,
    pub(crate) payload: &'a Payload,
}

/// A participant other than us, and why nothing may go to it for now.
pub(crate) type Reader = (UserId, Option<StateReason>);

/// A case that is there and may be written into.
pub(crate) async fn find_open(
    journal: &mut Journal,
    case_id: CaseId,
) -> Result<(Case, Control), Error> {
    let case = cases::find_in(journal.tx(), case_id).await?;
    let case = case.ok_or(Error::NotFound)?;
    let (control, _) = case.control.clone().ok_or(Error::NotFound)?;
    if case.left_ms.is_some() || !control.has(journal.unlocked().user_id()) {
        return Err(Error::NotAParticipant);
    }
    if control.closed {
        return Err(Error::invalid("case", Reason::Closed));
    }
    Ok((case, control))
}

/// All others in a roster. A participant who is no contact yet is written to all the same: it takes no key to seal for it.
pub(crate) async fn readers(
    journal: &mut Journal,
    rosters: &[&Control],
) -> Result<Vec<Reader>, Error> {
    let me = journal.unlocked().user_id().clone();
    let mut users: Vec<UserId> = rosters
        .iter()
        .flat_map(|control| &control.roster)
        .map(|one| one.user_id.clone())
        .filter(|user| *user != me)
        .collect();
    users.sort_unstable();
    users.dedup();
    with_holds(journal, users).await
}

/// Each with what it waits for.
pub(crate) async fn with_holds(
    journal: &mut Journal,
    users: Vec<UserId>,
) -> Result<Vec<Reader>, Error> {
    let known = contacts::find_many_in(journal.tx(), &users).await?;
    let reader = |user: UserId| {
        let hold = known.get(&user).and_then(hold_reason);
        (user, hold)
    };
    Ok(users.into_iter().map(reader).collect())
}

pub(crate) fn to(readers: &[Reader]) -> Vec<To<'_>> {
    let readers = readers.iter();
    readers
        .map(|(user_id, hold)| To {
            user_id,
            hold: *hold,
        })
        .collect()
}

/// The key of an epoch has not come: nothing can be written under it yet.
pub(crate) const NO_KEY: &str = "case key";

/// Seals for those who need not wait, and keeps what was sealed. None where nobody is to get it now.
pub(crate) async fn seal(
    journal: &mut Journal,
    case: &Case,
    draft: Draft<'_>,
    readers: &[Reader],
) -> Result<Option<Vec<u8>>, Error> {
    let ready: Vec<UserId> = readers
        .iter()
        .filter(|(_, hold)| hold.is_none())
        .map(|(user, _)| user.clone())
        .collect();
    let envelope = seal_for(journal, case, draft, &ready).await?;
    Ok((!ready.is_empty()).then(|| codec::encode(&envelope)))
}

/// Seals for these; what was sealed is kept, in place of what it was before where it is sealed anew.
pub(crate) async fn seal_for(
    journal: &mut Journal,
    case: &Case,
    draft: Draft<'_>,
    ready: &[UserId],
) -> Result<wire::Envelope, Error> {
    let under = written_under(journal, case, draft.payload).await?;
    let (epoch, roster) = under.ok_or(Error::NotAParticipant)?;
    let under = match (roster, draft.payload) {
        (None, Payload::CaseControl(first)) => first.digest(),
        (roster, _) => roster.unwrap_or_default(),
    };
    let key = keys::find_for_writing(journal.tx(), case.row, &under).await?;
    let key = key.ok_or(Error::StorageFailed(NO_KEY))?;
    let unlocked = journal.unlocked().clone();
    let me = unlocked.me();
    let author = Author {
        user_id: unlocked.user_id(),
        box_key: &me.boxed().public,
        sign_key: me.sign_key(),
        installation_id: draft.installation_id.unwrap_or(me.account.installation_id),
    };
    let entry = Entry {
        case_id: case.case_id,
        epoch,
        message_id: draft.message_id,
        timestamp_ms: draft.timestamp_ms,
        sequence: draft.sequence,
        roster,
        ephemeral: draft.ephemeral,
        payload: draft.payload,
    };
    let envelope = entry::seal(author, entry, &key, ready, &mut unlocked.chance.clone())
        .map_err(|_| Error::TooLarge)?;
    if let Some(sealed) = envelope.case_sealed.as_ref().filter(|_| !draft.ephemeral) {
        let new = NewEntry {
            sender: unlocked.user_id(),
            message_id: draft.message_id,
            lasting: is_lasting(draft.payload),
            ours: true,
            sealed,
            stored_ms: journal.now_ms(),
            place: None,
        };
        entries::put(journal.tx(), case.row, new).await?;
    }
    Ok(envelope)
}

/// Without these no later one follows on anything.
pub(crate) fn is_lasting(payload: &Payload) -> bool {
    matches!(payload, Payload::CaseControl(_) | Payload::CaseField(_))
}

/// Whether what is to be sealed now would be taken by nobody any more.
pub(crate) async fn comes_too_late(
    journal: &mut Journal,
    case: &Case,
    payload: &Payload,
) -> Result<bool, Error> {
    Ok(written_under(journal, case, payload).await?.is_none())
}

/// The epoch, and the revision that names who reads. A revision is written under the one before it: whoever it takes out
/// reads that, and nothing after it. None where it comes too late.
async fn written_under(
    journal: &mut Journal,
    case: &Case,
    payload: &Payload,
) -> Result<Option<(u32, Option<Digest>)>, Error> {
    let missing = Error::StorageFailed("cases");
    match payload {
        Payload::CaseControl(first) if first.previous.is_none() => Ok(Some((first.epoch, None))),
        Payload::CaseControl(next) => {
            let digest = next.previous.ok_or(missing)?;
            let before = controls::find(journal.tx(), case.row, &digest).await?;
            Ok(Some((before.ok_or(missing)?.epoch, Some(digest))))
        }
        _ => {
            let now = cases::find_in(journal.tx(), case.case_id).await?;
            let under = find_writable(journal, &now.ok_or(missing)?).await?;
            Ok(under.map(|control| (control.epoch, Some(control.digest()))))
        }
    }
}

/// The revision in force. Where that one ends the case or lacks us, what waited was said before it: the last that does
/// neither, for as long as the others take what was on its way then (D16).
async fn find_writable(journal: &mut Journal, case: &Case) -> Result<Option<Control>, Error> {
    let me = journal.unlocked().user_id().clone();
    let in_force = case.control.clone();
    let (mut control, _) = in_force.ok_or(Error::StorageFailed("cases"))?;
    if !control.closed && control.has(&me) {
        return Ok(Some(control));
    }
    let epoch_now = control.epoch;
    while control.closed || !control.has(&me) {
        let Some(digest) = control.previous else {
            return Ok(None);
        };
        let before = controls::find(journal.tx(), case.row, &digest).await?;
        let Some(before) = before else {
            return Ok(None);
        };
        control = before;
    }
    let followed_ms = if epoch_now > control.epoch {
        controls::followed_ms(journal.tx(), case.row, control.epoch).await?
    } else {
        None
    };
    let over_ms = [case.closed_ms, case.left_ms, followed_ms];
    let over_ms = over_ms.into_iter().flatten().min();
    let is_in_time = check_epoch(over_ms, journal.now_ms()).is_ok();
    Ok(is_in_time.then_some(control))
}

/// Queues what is no message to show. Returns its number in the case.
pub(crate) async fn queue(
    journal: &mut Journal,
    case: &Case,
    payload: &Payload,
    readers: &[Reader],
) -> Result<u64, Error> {
    let conversation = Conversation::Case(case.case_id);
    let (row, sequence) = conversations::next_sequence(journal.tx(), &conversation).await?;
    let draft = Draft {
        message_id: MessageId::random(&mut journal.unlocked().chance.clone()),
        timestamp_ms: journal.now_ms(),
        sequence,
        installation_id: None,
        ephemeral: false,
        payload,
    };
    let envelope = seal(journal, case, draft, readers).await?;
    if readers.is_empty() {
        return Ok(sequence);
    }
    let control = Outgoing {
        conversation: row,
        message_id: draft.message_id,
        timestamp_ms: draft.timestamp_ms,
        sequence,
        payload: &message::encode(payload),
        recipients: Recipients::Several(&to(readers)),
        envelope: envelope.as_deref(),
    };
    journal.queue_control(&control).await?;
    Ok(sequence)
}
