//! Beginning a case (§3.6).

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_core::case::control::{
    self, Control, MAX_PARTICIPANTS, MAX_REFERENCE, MAX_TITLE, Participant, Role,
};
use connect_core::message::Payload;
use connect_core::secret::CaseKey;
use connect_proto::ids::{CaseId, UserId};
use connect_store::cases::{self, keys};
use connect_store::contacts;

use super::field::{self, Change, PLAIN, set_in};
use crate::casework::{revise, share, write};
use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// What a case begins with.
pub struct Request {
    pub title: String,
    /// Empty where there is none.
    pub patient_reference: String,
    pub participants: Vec<UserId>,
    pub fields: BTreeMap<String, String>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request(..)")
    }
}

/// Makes the case, its first key and its fields: one transaction.
pub async fn create(unlocked: &Arc<Unlocked>, request: Request) -> Result<CaseId, Error> {
    check(&request)?;
    let me = unlocked.user_id().clone();
    let mut journal = Journal::begin(unlocked).await?;
    for user in &request.participants {
        check_contact(&mut journal, user).await?;
    }
    let mut chance = unlocked.chance.clone();
    let first = first(&request, &me);
    let case_id = CaseId::random(&mut chance);
    let now_ms = journal.now_ms();
    let case = cases::ensure(journal.tx(), case_id, now_ms).await?;
    let key = CaseKey::generate(&mut chance);
    let new = (first.epoch, &key);
    keys::add(journal.tx(), case.row, new, &first.digest(), &me).await?;
    revise::put_in_force(&mut journal, &case, &first, &me, None).await?;
    for one in first.roster.iter().filter(|one| one.user_id != me) {
        share::queue(&mut journal, &case, &first, &one.user_id, None).await?;
    }
    let readers = write::readers(&mut journal, &[&first]).await?;
    let payload = Payload::CaseControl(first);
    write::queue(&mut journal, &case, &payload, &readers).await?;
    for (name, value) in &request.fields {
        let field = Change {
            name,
            value: value.as_bytes(),
            media_type: PLAIN,
            expected_revision: 0,
        };
        set_in(&mut journal, &case, &readers, field).await?;
    }
    journal.commit().await?;
    Ok(case_id)
}

fn check(request: &Request) -> Result<(), Error> {
    check_line("title", &request.title, MAX_TITLE)?;
    if request.title.trim().is_empty() {
        return Err(Error::invalid("title", Reason::Empty));
    }
    let reference = &request.patient_reference;
    check_line("patient_reference", reference, MAX_REFERENCE)?;
    if request.participants.len() >= MAX_PARTICIPANTS {
        return Err(Error::invalid("participants", Reason::TooLong));
    }
    for (name, value) in &request.fields {
        field::check(name, value.as_bytes(), PLAIN)?;
    }
    Ok(())
}

fn check_line(field: &'static str, text: &str, most: usize) -> Result<(), Error> {
    if text.len() > most {
        return Err(Error::invalid(field, Reason::TooLong));
    }
    if !control::is_plain(text, most) {
        return Err(Error::invalid(field, Reason::Malformed));
    }
    Ok(())
}

/// Whom a case is shared with is known, and not blocked.
pub(crate) async fn check_contact(journal: &mut Journal, user: &UserId) -> Result<(), Error> {
    if user == journal.unlocked().user_id() {
        return Ok(());
    }
    let contact = contacts::find_in(journal.tx(), user)
        .await?
        .filter(|contact| !contact.removed)
        .ok_or(Error::UnknownContact)?;
    if contact.blocked {
        return Err(Error::invalid("user_id", Reason::Blocked));
    }
    Ok(())
}

fn first(request: &Request, me: &UserId) -> Control {
    let mut users: Vec<&UserId> = request.participants.iter().chain([me]).collect();
    users.sort_unstable();
    users.dedup();
    let participant = |user: &UserId| Participant {
        user_id: user.clone(),
        role: if user == me {
            Role::Admin
        } else {
            Role::Member
        },
    };
    Control {
        revision: 1,
        previous: None,
        title: request.title.clone(),
        patient_reference: request.patient_reference.clone(),
        roster: users.into_iter().map(participant).collect(),
        epoch: 1,
        closed: false,
    }
}
