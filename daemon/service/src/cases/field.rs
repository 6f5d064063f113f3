//! Setting a field: on the revision that was seen, or not at all (D16).

use std::sync::Arc;

use connect_core::case::field::{Field, MAX_VALUE, is_media_type, is_name};
use connect_core::message::Payload;
use connect_proto::ids::CaseId;
use connect_store::cases::fields::{self, Kept, NewField};
use connect_store::cases::{self, Case};
use connect_store::codes::EventKind;

use crate::casework::write::Reader;
use crate::casework::{revise, write};
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;

pub const PLAIN: &str = "text/plain";
/// Fields of one case at most.
const MOST_FIELDS: u64 = 1000;

/// What a field is to be.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    pub name: &'a str,
    pub value: &'a [u8],
    pub media_type: &'a str,
    /// The revision that was seen; 0 where there is none yet.
    pub expected_revision: u64,
}

impl std::fmt::Debug for Change<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change(..)")
    }
}

/// Returns the revision that the field has now. It settles a conflict, where there was one.
pub async fn set(
    unlocked: &Arc<Unlocked>,
    case_id: CaseId,
    change: Change<'_>,
) -> Result<u64, Error> {
    check(change.name, change.value, change.media_type)?;
    let mut journal = Journal::begin(unlocked).await?;
    let (case, control) = write::find_open(&mut journal, case_id).await?;
    let readers = write::readers(&mut journal, &[&control]).await?;
    let revision = set_in(&mut journal, &case, &readers, change).await?;
    journal.commit().await?;
    Ok(revision)
}

pub(crate) fn check(name: &str, value: &[u8], media_type: &str) -> Result<(), Error> {
    if !is_name(name) {
        return Err(Error::invalid("name", Reason::Malformed));
    }
    if !is_media_type(media_type) {
        return Err(Error::invalid("media_type", Reason::Malformed));
    }
    if value.len() > MAX_VALUE {
        return Err(Error::TooLarge);
    }
    Ok(())
}

pub(crate) async fn set_in(
    journal: &mut Journal,
    case: &Case,
    readers: &[Reader],
    change: Change<'_>,
) -> Result<u64, Error> {
    let newest = fields::find_newest(journal.tx(), case.row, change.name).await?;
    let seen = newest.as_ref().map_or(0, |newest| newest.revision);
    if seen != change.expected_revision {
        return Err(Error::RevisionConflict);
    }
    if seen == 0 && fields::count(journal.tx(), case.row).await? >= MOST_FIELDS {
        return Err(Error::invalid("name", Reason::OutOfRange));
    }
    let field = Field {
        name: change.name.to_owned(),
        revision: seen + 1,
        previous: newest.map(|newest| newest.digest),
        media_type: change.media_type.to_owned(),
        value: change.value.to_vec(),
    };
    let me = journal.unlocked().user_id().clone();
    let now_ms = journal.now_ms();
    let new = NewField {
        field: &field,
        author: &me,
        written_ms: now_ms,
        stored_ms: now_ms,
    };
    fields::add(journal.tx(), case.row, new).await?;
    let of = (change.name, field.revision);
    revise::tell_of_field(journal, case, of, &me, EventKind::CaseFieldChanged).await?;
    let revision = field.revision;
    write::queue(journal, case, &Payload::CaseField(field), readers).await?;
    Ok(revision)
}

/// Every revision that a field ever had, the oldest first.
pub async fn history(unlocked: &Unlocked, case_id: CaseId, name: &str) -> Result<Vec<Kept>, Error> {
    let case = cases::find(&unlocked.store, case_id).await?;
    let case = case.ok_or(Error::NotFound)?;
    let history = fields::list_history(&unlocked.store, case.row, name).await?;
    if history.is_empty() {
        return Err(Error::NotFound);
    }
    Ok(history)
}
