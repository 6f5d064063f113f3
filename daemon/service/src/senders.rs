//! Whom a page of envelopes is from: its contacts are read at once, however many they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use connect_core::boxes::SharedSecret;
use connect_core::inbound::{self, Header, Standing};
use connect_core::signed::open;
use connect_proto::ids::UserId;
use connect_proto::wire;
use connect_store::codes::{KeyDecision, KeyState};
use connect_store::contacts::{self, Contact, ContactKey};

use crate::error::Error;
use crate::own::OwnBox;
use crate::unlocked::Unlocked;

/// How long a message under a replaced key is accepted (D24).
pub(crate) const RETIRED_KEY_MS: u64 = 30 * 24 * 3600 * 1000;

/// The senders that are named in a page and are contacts.
#[derive(Debug, Default)]
pub(crate) struct Senders(BTreeMap<UserId, Contact>);

impl Senders {
    pub(crate) async fn read(unlocked: &Unlocked, page: &[wire::Envelope]) -> Result<Self, Error> {
        let named: BTreeSet<UserId> = page
            .iter()
            .filter(|envelope| envelope.contact_update.is_none())
            .filter_map(|envelope| sender_of(envelope, unlocked.user_id()))
            .collect();
        let named: Vec<UserId> = named.into_iter().collect();
        Ok(Self(contacts::find_many(&unlocked.store, &named).await?))
    }

    pub(crate) fn knows_key(&self, header: &Header<'_>) -> bool {
        let Some(contact) = self.contact(&header.sender) else {
            return false;
        };
        header
            .sender_key_id
            .is_none_or(|hint| contact.keys.iter().any(|key| key.box_key.key_id() == hint))
    }

    /// One contact, as it is read within a transaction.
    pub(crate) fn only(contact: Contact) -> Self {
        Self(BTreeMap::from([(contact.user_id.clone(), contact)]))
    }

    /// Those who are known already.
    pub(crate) const fn of(contacts: BTreeMap<UserId, Contact>) -> Self {
        Self(contacts)
    }

    /// Every pair of keys of somebody, as it stood at that time.
    pub(crate) fn signers(&self, sender: &UserId, now_ms: u64) -> Vec<(&ContactKey, Standing)> {
        let keys = self.contact(sender).map(|contact| contact.keys.iter());
        keys.into_iter()
            .flatten()
            .map(|key| (key, standing(key, now_ms)))
            .collect()
    }

    /// The active key first, then the old ones, newest first (D24), as they stood at that time.
    pub(crate) fn keys_to_try(
        &self,
        mine: &OwnBox,
        sender: &UserId,
        now_ms: u64,
    ) -> Vec<(&ContactKey, Arc<SharedSecret>, Standing)> {
        let mut keys: Vec<&ContactKey> = self
            .contact(sender)
            .map(|contact| contact.keys.iter().collect())
            .unwrap_or_default();
        keys.sort_by_key(|key| key.state != KeyState::Active);
        keys.into_iter()
            .map(|key| (key, mine.shared_with(&key.box_key), standing(key, now_ms)))
            .collect()
    }

    pub(crate) fn is_blocked(&self, sender: &UserId) -> bool {
        self.contact(sender).is_some_and(|contact| contact.blocked)
    }

    pub(crate) fn contact(&self, sender: &UserId) -> Option<&Contact> {
        self.0.get(sender)
    }
}

/// Whom an envelope says that it is from, where its outside has the right form.
pub(crate) fn sender_of(envelope: &wire::Envelope, me: &UserId) -> Option<UserId> {
    if envelope.case_sealed.is_some() {
        return open::read_header(envelope, me)
            .ok()
            .map(|header| header.sender);
    }
    let header = inbound::read_header(envelope, me);
    header.ok().map(|header| header.sender)
}

fn standing(key: &ContactKey, now_ms: u64) -> Standing {
    let is_long_ago = now_ms.saturating_sub(key.changed_ms) > RETIRED_KEY_MS;
    match key.state {
        KeyState::Compromised => Standing::Compromised,
        _ if key.decided() == Some(KeyDecision::Rejected) => Standing::Rejected,
        KeyState::Active => Standing::Active,
        KeyState::Replaced | KeyState::Revoked if is_long_ago => Standing::RetiredTooLong,
        KeyState::Replaced => Standing::Retired,
        KeyState::Revoked => Standing::Revoked {
            at_ms: key.changed_ms,
        },
    }
}
