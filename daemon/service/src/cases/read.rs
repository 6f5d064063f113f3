//! Reading cases: one with its fields and participants, and the list of them.

use std::collections::BTreeMap;

use connect_core::case::control::{Control, Role};
use connect_proto::ids::{CaseId, UserId};
use connect_store::cases::fields::{self, Kept};
use connect_store::cases::{self, Case};
use connect_store::codes::Trust;
use connect_store::contacts;

use super::change::find;
use crate::error::Error;
use crate::unlocked::Unlocked;

/// A participant as it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    pub user_id: UserId,
    pub role: Role,
    /// Empty for oneself and for who is not known yet.
    pub display_name: String,
    /// None for oneself and for who is not known yet.
    pub trust: Option<Trust>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person(..)")
    }
}

/// A case as it is shown.
#[derive(Debug, Clone)]
pub struct View {
    pub case: Case,
    pub control: Control,
    pub people: Vec<Person>,
    /// By name; whatever stands beside the newest revision of one follows it.
    pub fields: Vec<Kept>,
}

pub async fn get(unlocked: &Unlocked, case_id: CaseId) -> Result<View, Error> {
    let case = find(unlocked, case_id).await?;
    let (control, _) = case.control.clone().ok_or(Error::NotFound)?;
    let users: Vec<UserId> = control
        .roster
        .iter()
        .map(|one| one.user_id.clone())
        .collect();
    let mut known = contacts::find_many(&unlocked.store, &users).await?;
    let me = unlocked.user_id();
    let mut own = BTreeMap::from([(me.clone(), unlocked.me().account.display_name.clone())]);
    let person = |one: &connect_core::case::control::Participant| {
        let contact = known.remove(&one.user_id);
        Person {
            user_id: one.user_id.clone(),
            role: control.role_of(&one.user_id).unwrap_or(one.role),
            trust: contact.as_ref().map(|contact| contact.trust),
            display_name: contact
                .map(|contact| contact.display_name)
                .or_else(|| own.remove(&one.user_id))
                .unwrap_or_default(),
        }
    };
    Ok(View {
        people: control.roster.iter().map(person).collect(),
        fields: fields::list(&unlocked.store, case.row).await?,
        case,
        control,
    })
}

/// The newest first; one more than `limit` tells whether there is a next page.
pub async fn list(
    unlocked: &Unlocked,
    before: Option<CaseId>,
    limit: u32,
) -> Result<Vec<(Case, Control)>, Error> {
    let found = cases::list(&unlocked.store, before, limit).await?;
    let with_control = |case: Case| {
        let (control, _) = case.control.clone()?;
        Some((case, control))
    };
    Ok(found.into_iter().filter_map(with_control).collect())
}
