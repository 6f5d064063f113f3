//! A user whose keys a test holds in its own hands: honest envelopes, and any other.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use connect_core::nonce::Nonce;
use connect_core::padding::{pad, unpad};
use connect_core::secret::BoxSecretKey;
use connect_proto::bundle::{self, Bundle};
use connect_proto::hash::sha256;
use connect_proto::ids::{InstallationId, UserId};
use connect_proto::sign::{Purpose, SignSecretKey};
use connect_proto::{codec, wire};

use crate::fake_relay::operations_key;

const INSTALLATION: [u8; 8] = [4; 8];

/// Never the same twice.
static LAST: AtomicU64 = AtomicU64::new(0);

fn next() -> u128 {
    u128::from(LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

#[derive(Debug)]
pub struct Mallory {
    pub user_id: UserId,
    box_key: BoxSecretKey,
    sign_key: SignSecretKey,
}

impl Mallory {
    pub fn new(user_id: UserId) -> Self {
        let seed = |what: &str| sha256(format!("{user_id}/{what}").as_bytes());
        Self {
            box_key: BoxSecretKey::from_bytes(&seed("box")),
            sign_key: SignSecretKey::from_seed(&seed("sign")),
            user_id,
        }
    }

    /// What a directory says of such a user.
    pub fn entry(&self, state: wire::KeyState, changed_ms: u64) -> wire::DirectoryEntry {
        wire::DirectoryEntry {
            user_id: self.user_id.to_string(),
            revision: 1,
            keys: vec![self.published(None, state, changed_ms)],
            ..Default::default()
        }
    }

    /// What a directory says once these keys have taken the place of others.
    pub fn entry_after(
        &self,
        before: &Self,
        state_of_it: wire::KeyState,
        changed_ms: u64,
    ) -> wire::DirectoryEntry {
        let old = before.published(None, state_of_it, changed_ms);
        let follows = old.bundle.as_ref().map(bundle::digest);
        wire::DirectoryEntry {
            user_id: self.user_id.to_string(),
            revision: 2,
            keys: vec![
                self.published(follows, wire::KeyState::KeyActive, changed_ms),
                old,
            ],
            ..Default::default()
        }
    }

    fn published(
        &self,
        follows: Option<[u8; 32]>,
        state: wire::KeyState,
        changed_ms: u64,
    ) -> wire::PublishedKey {
        let bundle = Bundle {
            user_id: self.user_id.clone(),
            installation_id: InstallationId::from_bytes(INSTALLATION),
            box_key: self.box_key.public_key(),
            sign_key: self.sign_key.public_key(),
            created_ms: 1,
            revision: 1 + u64::from(follows.is_some()),
            previous_digest: follows,
        };
        let mut published = wire::PublishedKey {
            bundle: Some(bundle::sign(&bundle, &self.sign_key, None)),
            changed_ms,
            ..Default::default()
        };
        published.set_state(state);
        published
    }

    /// The same user with other keys.
    #[must_use]
    pub fn with_new_keys(&self) -> Self {
        let seed = |what: &str| sha256(format!("{}/new/{what}", self.user_id).as_bytes());
        Self {
            box_key: BoxSecretKey::from_bytes(&seed("box")),
            sign_key: SignSecretKey::from_seed(&seed("sign")),
            user_id: self.user_id.clone(),
        }
    }

    /// What somebody put into an envelope to this user, if it is for these keys.
    pub fn opens(&self, from: &Bundle, envelope: &wire::Envelope) -> Option<wire::Inner> {
        let sealed = envelope.sealed.first()?;
        let nonce = Nonce::try_from(sealed.nonce.as_slice()).ok()?;
        let shared = self.box_key.shared_with(&from.box_key);
        let padded = shared.open(&nonce, &sealed.r#box).ok()?;
        codec::decode(unpad(&padded).ok()?).ok()
    }

    /// An honest text, before it is put into its box.
    pub fn text(&self, to: &Bundle, body: &str, now_ms: u64) -> wire::Inner {
        wire::Inner {
            version: 1,
            message_id: next().to_be_bytes().to_vec(),
            timestamp_ms: now_ms,
            sender_id: self.user_id.to_string(),
            sender_box_key: self.box_key.public_key().to_vec(),
            recipient_id: to.user_id.to_string(),
            recipient_box_key: to.box_key.to_vec(),
            installation_id: INSTALLATION.to_vec(),
            sequence: 1,
            payload: Some(wire::inner::Payload::Text(wire::Text {
                body: body.to_owned(),
                reply_to: None,
            })),
            ..Default::default()
        }
    }

    /// Puts what is inside into an envelope that says the same.
    pub fn sealed(&self, to: &Bundle, inner: &wire::Inner) -> wire::Envelope {
        let padded =
            pad(&codec::encode(inner)).map_or_else(|_| Vec::new(), |padded| padded.to_vec());
        self.boxed(to, inner, &padded)
    }

    /// An envelope that says what `outside` says, around a box with just these bytes.
    pub fn boxed(&self, to: &Bundle, outside: &wire::Inner, plaintext: &[u8]) -> wire::Envelope {
        let mut nonce = [0; 24];
        nonce[8..].copy_from_slice(&next().to_be_bytes());
        let nonce = Nonce::from_bytes(nonce);
        let sealed = wire::Sealed {
            recipient_id: to.user_id.to_string(),
            sender_key_id: self.box_key.public_key().key_id().to_vec(),
            recipient_key_id: to.box_key.key_id().to_vec(),
            nonce: nonce.as_bytes().to_vec(),
            r#box: self
                .box_key
                .shared_with(&to.box_key)
                .seal(&nonce, plaintext),
        };
        wire::Envelope {
            message_id: outside.message_id.clone(),
            timestamp_ms: outside.timestamp_ms,
            sender_id: outside.sender_id.clone(),
            group_id: outside.group_id.clone(),
            sealed: vec![sealed],
            ..Default::default()
        }
    }
}

/// What the relay says of keys that have changed, as its own users are told of it.
pub fn update(entry: &wire::DirectoryEntry) -> Result<wire::Envelope> {
    let newest = entry.keys.first().and_then(|key| key.bundle.as_ref());
    let statement = codec::encode(&wire::ContactUpdateStatement {
        user_id: entry.user_id.clone(),
        revision: entry.revision,
        bundle_digest: bundle::digest(newest.context("a key")?).to_vec(),
        ..Default::default()
    });
    Ok(wire::Envelope {
        message_id: vec![u8::try_from(entry.revision)?; 16],
        contact_update: Some(wire::ContactUpdate {
            signature: operations_key()
                .sign(Purpose::ContactUpdate, &statement)
                .to_vec(),
            statement,
        }),
        ..Default::default()
    })
}
