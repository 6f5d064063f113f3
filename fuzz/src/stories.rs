//! Who takes part: keys and envelopes that are always the same.

use connect_core::nonce::Nonce;
use connect_core::secret::BoxSecretKey;
use connect_proto::bundle::{self, Bundle};
use connect_proto::ids::{InstallationId, UserId};
use connect_proto::sign::SignSecretKey;
use connect_proto::{codec, wire};

pub(crate) const NOW_MS: u64 = 1_795_500_000_000;
pub(crate) const AUTHORITY: &str = "relay.test:443";
pub(crate) const MESSAGE: [u8; 16] = [7; 16];

pub(crate) struct Actor {
    pub(crate) id: UserId,
    pub(crate) box_key: BoxSecretKey,
    pub(crate) sign_key: SignSecretKey,
    pub(crate) bundle: Bundle,
}

pub(crate) fn actor(name: &str, seed: u8) -> Actor {
    let id: UserId = name.parse().expect("a user id");
    let (box_key, sign_key) = (
        BoxSecretKey::from_bytes(&[seed; 32]),
        SignSecretKey::from_seed(&[seed; 32]),
    );
    let bundle = Bundle {
        user_id: id.clone(),
        installation_id: InstallationId::from_bytes([seed; 8]),
        box_key: box_key.public_key(),
        sign_key: sign_key.public_key(),
        created_ms: NOW_MS,
        revision: 1,
        previous_digest: None,
    };
    Actor {
        id,
        box_key,
        sign_key,
        bundle,
    }
}

pub(crate) fn alice() -> Actor {
    actor("alice", 1)
}

pub(crate) fn bob() -> Actor {
    actor("bob", 2)
}

impl Actor {
    pub(crate) fn signed_bundle(&self) -> wire::SignedKeyBundle {
        bundle::sign(&self.bundle, &self.sign_key, None)
    }

    /// What an honest text of ours to someone has inside.
    pub(crate) fn inner(&self, to: &Self, body: &str) -> wire::Inner {
        wire::Inner {
            version: 1,
            message_id: MESSAGE.to_vec(),
            timestamp_ms: NOW_MS,
            sender_id: self.id.to_string(),
            sender_box_key: self.box_key.public_key().to_vec(),
            recipient_id: to.id.to_string(),
            recipient_box_key: to.box_key.public_key().to_vec(),
            installation_id: self.bundle.installation_id.as_bytes().to_vec(),
            sequence: 1,
            payload: Some(wire::inner::Payload::Text(wire::Text {
                body: body.to_owned(),
                reply_to: None,
            })),
            ..Default::default()
        }
    }

    /// An envelope around a box with just these bytes.
    pub(crate) fn boxed(&self, to: &Self, content: &[u8]) -> wire::Envelope {
        let nonce = Nonce::from_bytes([3; 24]);
        let sealed = wire::Sealed {
            recipient_id: to.id.to_string(),
            sender_key_id: self.box_key.public_key().key_id().to_vec(),
            recipient_key_id: to.box_key.public_key().key_id().to_vec(),
            nonce: nonce.as_bytes().to_vec(),
            r#box: self
                .box_key
                .shared_with(&to.box_key.public_key())
                .seal(&nonce, content),
        };
        wire::Envelope {
            message_id: MESSAGE.to_vec(),
            timestamp_ms: NOW_MS,
            sender_id: self.id.to_string(),
            sealed: vec![sealed],
            ..Default::default()
        }
    }

    pub(crate) fn honest(&self, to: &Self, body: &str) -> wire::Envelope {
        let padded = connect_core::padding::pad(&codec::encode(&self.inner(to, body)));
        self.boxed(to, &padded.expect("it is short"))
    }
}
