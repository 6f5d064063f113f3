//! The account's own profile: what others see, at the relay first and then here.

use std::sync::Arc;

use connect_proto::{routes, wire};
use connect_store::account::{self, Account};

use crate::error::{Error, Reason};
use crate::journal::Journal;
use crate::unlocked::Unlocked;

/// What is left out stays as it is.
#[derive(Clone, Default)]
pub struct Change {
    pub display_name: Option<String>,
    pub profession: Option<String>,
    pub organisation: Option<String>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change(..)")
    }
}

/// An operator has to check the profile anew (§10.5). One that is the same already is not sent.
pub async fn update(unlocked: &Arc<Unlocked>, wanted: Change) -> Result<(), Error> {
    // One change of the account's own entry at a time: a rotation replaces it too.
    let _turn = unlocked.rotation.turn().await;
    let me = unlocked.me();
    let before = &me.account;
    let profile = wire::Profile {
        display_name: wanted
            .display_name
            .unwrap_or_else(|| before.display_name.clone()),
        profession: wanted
            .profession
            .unwrap_or_else(|| before.profession.clone()),
        organisation: wanted
            .organisation
            .unwrap_or_else(|| before.organisation.clone()),
    };
    check(&profile)?;
    let is_same = profile.display_name == before.display_name
        && profile.profession == before.profession
        && profile.organisation == before.organisation;
    if is_same {
        return Ok(());
    }
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let uplink = &unlocked.uplink;
    let entry = tokio::select! {
        () = unlocked.ended() => return Err(Error::Locked),
        entry = uplink.put_profile(me.credentials(), now_ms, &mut chance, &profile) => entry?,
    };
    let account = Account {
        display_name: profile.display_name,
        profession: profile.profession,
        organisation: profile.organisation,
        attested: entry.attested,
        ..before.clone()
    };
    let mut journal = Journal::begin(unlocked).await?;
    account::put(journal.tx(), &account).await?;
    journal.afterwards(move |unlocked| {
        unlocked
            .identity
            .send_replace(Arc::new(me.with_account(account)));
    });
    Ok(journal.commit().await?)
}

/// As an enrollment checks it, too.
pub(crate) fn check(profile: &wire::Profile) -> Result<(), Error> {
    let fields = [
        ("display_name", &profile.display_name),
        ("profession", &profile.profession),
        ("organisation", &profile.organisation),
    ];
    if profile.display_name.trim().is_empty() {
        return Err(Error::invalid("display_name", Reason::Empty));
    }
    for (field, value) in fields {
        if value.len() > routes::MAX_PROFILE_FIELD {
            return Err(Error::invalid(field, Reason::TooLong));
        }
        if value.chars().any(char::is_control) {
            return Err(Error::invalid(field, Reason::Malformed));
        }
    }
    Ok(())
}
