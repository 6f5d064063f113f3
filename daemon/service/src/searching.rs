//! Looking for people in the relay's directory (§10.4): what is found is kept nowhere.

use connect_proto::ids::UserId;
use connect_proto::{routes, wire};
use connect_store::contacts;

use crate::error::{Error, Reason};
use crate::unlocked::Unlocked;

/// Longest query, in bytes: a profile's field is no longer.
const MAX_QUERY: usize = routes::MAX_PROFILE_FIELD;

/// Someone in the directory, as it tells; no key of theirs is kept or believed for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    pub user_id: UserId,
    pub display_name: String,
    pub profession: String,
    pub organisation: String,
    pub attested: bool,
    pub is_contact: bool,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Found(..)")
    }
}

/// In the directory's order, without the account itself.
pub async fn search(unlocked: &Unlocked, query: &str, limit: u32) -> Result<Vec<Found>, Error> {
    let query = query.trim();
    if query.is_empty() {
        return Err(Error::invalid("query", Reason::Empty));
    }
    if query.len() > MAX_QUERY {
        return Err(Error::invalid("query", Reason::TooLong));
    }
    let now_ms = unlocked.clock.now_ms();
    let mut chance = unlocked.chance.clone();
    let me = unlocked.me();
    let entries = tokio::select! {
        () = unlocked.ended() => return Err(Error::Locked),
        found = unlocked.uplink.search(me.credentials(), now_ms, &mut chance, query, limit) => found?,
    };
    let mut all = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(found) = read(unlocked, entry).await?
            && found.user_id != *unlocked.user_id()
        {
            all.push(found);
        }
    }
    Ok(all)
}

/// An entry that no relay would send is left out.
async fn read(unlocked: &Unlocked, entry: wire::DirectoryEntry) -> Result<Option<Found>, Error> {
    let Ok(user_id) = entry.user_id.parse::<UserId>() else {
        return Ok(None);
    };
    let profile = entry.profile.unwrap_or_default();
    let fields = [
        &profile.display_name,
        &profile.profession,
        &profile.organisation,
    ];
    if fields
        .iter()
        .any(|field| field.len() > routes::MAX_PROFILE_FIELD)
    {
        return Ok(None);
    }
    let known = contacts::find(&unlocked.store, &user_id).await?;
    Ok(Some(Found {
        user_id,
        display_name: profile.display_name,
        profession: profile.profession,
        organisation: profile.organisation,
        attested: entry.attested,
        is_contact: known.is_some_and(|contact| !contact.removed),
    }))
}
