//! Whom a page of envelopes is from: each contact is read once, however many of the envelopes are theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use connect_core::boxes::SharedSecret;
use connect_core::inbound::{self, Header, Standing};
use connect_proto::ids::UserId;
use connect_proto::wire;
use connect_store::codes::KeyState;
use connect_store::contacts::{self, Contact, ContactKey};

use crate::error::Error;
use crate::unlocked::Unlocked;

/// How long a message under a replaced key is accepted (D24).
const RETIRED_KEY_MS: u64 = 30 * 24 * 3600 * 1000;

/// The senders that are named in a page; None for those who are no contacts.
#[derive(Debug)]
pub(crate) struct Senders(BTreeMap<UserId, Option<Contact>>);

impl Senders {
    pub(crate) async fn read(unlocked: &Unlocked, page: &[wire::Envelope]) -> Result<Self, Error> {
        let mut senders = BTreeMap::new();
        for envelope in page {
            if envelope.contact_update.is_none()
                && let Ok(header) = inbound::read_header(envelope, unlocked.user_id())
                && !senders.contains_key(&header.sender)
            {
                let contact = contacts::find(&unlocked.store, &header.sender).await?;
                senders.insert(header.sender, contact);
            }
        }
        Ok(Self(senders))
    }

    pub(crate) fn knows_key(&self, header: &Header<'_>) -> bool {
        let Some(contact) = self.contact(&header.sender) else {
            return false;
        };
        header
            .sender_key_id
            .is_none_or(|hint| contact.keys.iter().any(|key| key.box_key.key_id() == hint))
    }

    /// The active key first, then the old ones, newest first (D24).
    pub(crate) fn keys_to_try(
        &self,
        unlocked: &Unlocked,
        sender: &UserId,
    ) -> Vec<(&ContactKey, Arc<SharedSecret>, Standing)> {
        let now_ms = unlocked.clock.now_ms();
        let mut keys: Vec<&ContactKey> = self
            .contact(sender)
            .map(|contact| contact.keys.iter().collect())
            .unwrap_or_default();
        keys.sort_by_key(|key| key.state != KeyState::Active);
        keys.into_iter()
            .map(|key| {
                (
                    key,
                    unlocked.shared_with(&key.box_key),
                    standing(key, now_ms),
                )
            })
            .collect()
    }

    pub(crate) fn contact(&self, sender: &UserId) -> Option<&Contact> {
        self.0.get(sender)?.as_ref()
    }
}

fn standing(key: &ContactKey, now_ms: u64) -> Standing {
    match key.state {
        KeyState::Active => Standing::Active,
        KeyState::Compromised => Standing::Compromised,
        KeyState::Replaced | KeyState::Revoked => {
            if now_ms.saturating_sub(key.changed_ms) > RETIRED_KEY_MS {
                Standing::RetiredTooLong
            } else {
                Standing::Retired
            }
        }
    }
}
