//! A user whose keys a test holds in its own hands: honest envelopes, and any other.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use connect_core::fingerprint::Fingerprint;
use connect_core::nonce::Nonce;
use connect_core::padding::{pad, unpad};
use connect_core::secret::{BoxSecretKey, CaseKey};
use connect_core::secretbox::seal_apart;
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

    /// As above, and the key before signed for these.
    pub fn entry_signed_by(&self, before: &Self, changed_ms: u64) -> Result<wire::DirectoryEntry> {
        let mut entry = self.entry_after(before, wire::KeyState::KeyReplaced, changed_ms);
        let newest = entry.keys.first_mut().and_then(|key| key.bundle.as_mut());
        let newest = newest.context("a key")?;
        newest.previous_signature = before
            .sign_key
            .sign(Purpose::Bundle, &newest.bundle)
            .to_vec();
        Ok(entry)
    }

    /// The digits of both sides, as this side shows them.
    pub fn digits(&self, other: &Bundle) -> String {
        let (box_key, sign_key) = (self.box_key.public_key(), self.sign_key.public_key());
        let mine = Fingerprint::of(&box_key, &sign_key, &self.user_id).to_string();
        let theirs = Fingerprint::of(&other.box_key, &other.sign_key, &other.user_id).to_string();
        if mine <= theirs {
            format!("{mine} {theirs}")
        } else {
            format!("{theirs} {mine}")
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

    /// Who has these keys, under another name.
    pub fn named(mut self, name: &str) -> Result<Self> {
        self.user_id = name.parse()?;
        Ok(self)
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

    pub fn box_key(&self) -> [u8; 32] {
        *self.box_key.public_key().as_bytes()
    }

    /// What this user writes into a case, before it is signed.
    pub fn case_inner(
        &self,
        case_id: [u8; 16],
        (epoch, roster): (u32, &[u8]),
        sequence: u64,
        payload: wire::inner::Payload,
        now_ms: u64,
    ) -> wire::Inner {
        wire::Inner {
            version: 1,
            message_id: next().to_be_bytes().to_vec(),
            timestamp_ms: now_ms,
            sender_id: self.user_id.to_string(),
            sender_box_key: self.box_key.public_key().to_vec(),
            case_id: case_id.to_vec(),
            case_epoch: epoch,
            installation_id: INSTALLATION.to_vec(),
            sequence,
            roster_digest: roster.to_vec(),
            payload: Some(payload),
            ..Default::default()
        }
    }

    /// Signs it, as this user, and seals it for the reader under a case's key.
    pub fn case_entry(&self, key: &CaseKey, inner: &wire::Inner, reader: &str) -> wire::Envelope {
        self.forged_case_entry(self, key, inner, reader)
    }

    /// The same, and says that the signature is somebody else's.
    pub fn forged_case_entry(
        &self,
        as_if: &Self,
        key: &CaseKey,
        inner: &wire::Inner,
        reader: &str,
    ) -> wire::Envelope {
        let bytes = codec::encode(inner);
        let signed = codec::encode(&wire::SignedInner {
            sign_key_id: as_if.sign_key.public_key().key_id().to_vec(),
            signature: self.sign_key.sign(Purpose::Case, &bytes).to_vec(),
            inner: bytes,
        });
        let padded = pad(&signed).map_or_else(|_| Vec::new(), |padded| padded.to_vec());
        let mut nonce = [1; 24];
        nonce[8..].copy_from_slice(&next().to_be_bytes());
        let nonce = Nonce::from_bytes(nonce);
        wire::Envelope {
            message_id: inner.message_id.clone(),
            timestamp_ms: inner.timestamp_ms,
            sender_id: inner.sender_id.clone(),
            case_sealed: Some(wire::CaseSealed {
                case_id: inner.case_id.clone(),
                epoch: inner.case_epoch,
                nonce: nonce.as_bytes().to_vec(),
                r#box: seal_apart(key, &nonce, &padded),
                recipient_ids: vec![reader.to_owned()],
            }),
            ..Default::default()
        }
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

/// What the relay signs for: that the newest key of an entry is in that state.
pub fn statement(
    entry: &wire::DirectoryEntry,
    revision: u64,
    state: wire::KeyState,
    effective_ms: u64,
) -> Result<wire::Envelope> {
    let newest = entry.keys.first().and_then(|key| key.bundle.as_ref());
    let mut statement = wire::ContactUpdateStatement {
        user_id: entry.user_id.clone(),
        revision,
        bundle_digest: bundle::digest(newest.context("a key")?).to_vec(),
        effective_ms,
        ..Default::default()
    };
    statement.set_state(state);
    signed(&statement)
}

fn signed(statement: &wire::ContactUpdateStatement) -> Result<wire::Envelope> {
    let revision = u8::try_from(statement.revision)?;
    let statement = codec::encode(statement);
    Ok(wire::Envelope {
        message_id: vec![revision; 16],
        contact_update: Some(wire::ContactUpdate {
            signature: operations_key()
                .sign(Purpose::ContactUpdate, &statement)
                .to_vec(),
            statement,
        }),
        ..Default::default()
    })
}

/// What the relay says of keys that have changed, as its own users are told of it.
pub fn update(entry: &wire::DirectoryEntry) -> Result<wire::Envelope> {
    statement(entry, entry.revision, wire::KeyState::KeyActive, 0)
}
