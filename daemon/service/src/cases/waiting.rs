//! What came before what it takes: a key, a revision, a field. It is looked at again once that may be here.

use connect_core::message::Payload;
use connect_core::refusal::Refusal;
use connect_proto::hash::Digest;
use connect_proto::ids::{CaseId, UserId};
use connect_proto::{codec, wire};
use connect_store::contacts;
use connect_store::quarantine::{self, Most};

use super::take::{Taken, take};
use crate::aside::{self, CONFLICT};
use crate::casework::{epochs, share};
use crate::error::Error;
use crate::intake::{self, Intake};
use crate::journal::Journal;
use crate::senders::Senders;
use crate::verdict::{Verdict, judge_as_of};

/// What may come right by something that comes after it. What opens under no key that is known may open under another one
/// of its epoch; and whoever shares keys may be a participant by a revision that is still to come.
const WAITING: [Refusal; 7] = [
    Refusal::UnknownCase,
    Refusal::UnknownEpoch,
    Refusal::CannotOpen,
    Refusal::UnknownSenderKey,
    Refusal::BrokenControlChain,
    Refusal::BrokenFieldChain,
    Refusal::BadKeyShare,
];

/// Looked at in one go: who fills the quarantine holds up nobody but themselves.
const AT_ONCE: Most = Most {
    of_a_sender: 200,
    in_all: 1000,
};

pub(crate) fn may_come_right(refusal: Refusal) -> bool {
    WAITING.contains(&refusal)
}

/// Something that was put aside.
struct Waiting {
    digest: Digest,
    envelope: wire::Envelope,
    senders: Senders,
    stored_ms: u64,
}

/// As `reconsider`, where nothing else is taken in.
pub(crate) async fn reconsider_alone(journal: &mut Journal, case_id: CaseId) -> Result<(), Error> {
    let senders = Senders::default();
    let mut intake = Intake::begin(journal, &senders).await?;
    reconsider(journal, &mut intake, case_id).await?;
    intake.finish(journal).await
}

/// Takes in what waited in a case, for as long as that brings something; and begins an epoch that waited for its key.
pub(crate) async fn reconsider(
    journal: &mut Journal,
    intake: &mut Intake<'_>,
    case_id: CaseId,
) -> Result<(), Error> {
    let reasons = WAITING.map(Refusal::name);
    let mut progress = true;
    while progress {
        progress = false;
        let found = quarantine::list_waiting(journal.tx(), case_id, &reasons, AT_ONCE).await?;
        for (digest, bytes, stored_ms) in found {
            let Some(one) = read(journal, digest, &bytes, stored_ms).await? else {
                continue;
            };
            progress |= look_again(journal, intake, &one).await?;
        }
    }
    epochs::begin_what_is_due(journal, case_id).await
}

async fn read(
    journal: &mut Journal,
    digest: Digest,
    bytes: &[u8],
    stored_ms: u64,
) -> Result<Option<Waiting>, Error> {
    let envelope: wire::Envelope =
        codec::decode(bytes).map_err(|_| Error::StorageFailed("quarantine"))?;
    let Ok(sender) = envelope.sender_id.parse::<UserId>() else {
        return Ok(None);
    };
    let contact = contacts::find_in(journal.tx(), &sender).await?;
    Ok(contact.map(|contact| Waiting {
        digest,
        envelope,
        senders: Senders::only(contact),
        stored_ms,
    }))
}

/// Returns whether it has come in.
async fn look_again(
    journal: &mut Journal,
    intake: &mut Intake<'_>,
    one: &Waiting,
) -> Result<bool, Error> {
    let unlocked = journal.unlocked().clone();
    let refused = match judge_as_of(&unlocked, &one.envelope, &one.senders, one.stored_ms) {
        Verdict::Case { at_ms } => take_entry(journal, intake, one, at_ms).await?,
        Verdict::Message(opened) if one.senders.is_blocked(&opened.sender) => return Ok(false),
        Verdict::Message(opened) => {
            let Payload::CaseKeyShare(share) = &opened.payload else {
                return Ok(false);
            };
            match share::check(journal, &opened.sender, share).await? {
                Ok(()) => match intake.take(journal, &opened).await? {
                    intake::Taken::Well => None,
                    intake::Taken::Conflict(row) => {
                        let by = (&opened.sender, opened.message_id);
                        aside::tell_of_conflict(journal, by, row).await?;
                        Some(CONFLICT)
                    }
                    intake::Taken::Refused(refusal) => Some(refusal.name()),
                },
                Err(refusal) => Some(refusal.name()),
            }
        }
        Verdict::Refused(refusal) => Some(refusal.name()),
        Verdict::Bounce { .. } | Verdict::Blocked { .. } | Verdict::Update => return Ok(false),
    };
    match refused {
        None => {
            quarantine::remove(journal.tx(), &one.digest).await?;
            journal.afterwards(|unlocked| unlocked.counters.remove_quarantined(1));
        }
        Some(reason) => quarantine::set_reason(journal.tx(), &one.digest, reason).await?,
    }
    Ok(refused.is_none())
}

/// Returns why it is not taken in.
async fn take_entry(
    journal: &mut Journal,
    intake: &mut Intake<'_>,
    one: &Waiting,
    at_ms: u64,
) -> Result<Option<&'static str>, Error> {
    Ok(
        match take(journal, &one.senders, &one.envelope, at_ms).await? {
            Taken::Well(message) => {
                if let Some(message) = message {
                    intake.note_arrived(message);
                }
                None
            }
            Taken::Conflict(row, opened) => {
                let by = (&opened.sender, opened.message_id);
                aside::tell_of_conflict(journal, by, row).await?;
                Some(CONFLICT)
            }
            Taken::Refused(refusal) => Some(refusal.name()),
        },
    )
}
