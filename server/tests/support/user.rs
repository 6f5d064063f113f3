//! A user of the relay: keys, and the calls that they sign.

use super::*;

/// Someone with an installation.
pub struct User {
    pub id: UserId,
    pub key: SignSecretKey,
    pub bundle: Bundle,
    /// The key of the bundle before.
    pub previous: Option<SignSecretKey>,
    pub code: String,
    pub replace: bool,
}

impl User {
    pub fn new(name: &str, seed: u8) -> Self {
        let mut bytes = sha256(name.as_bytes());
        bytes[0] = seed;
        let key = SignSecretKey::from_seed(&bytes);
        let id: UserId = name.parse().unwrap();
        let bundle = Bundle {
            user_id: id.clone(),
            installation_id: InstallationId::from_bytes([seed; 8]),
            box_key: BoxPublicKey::admit(&[[9_u8].as_slice(), &[0; 31]].concat()).unwrap(),
            sign_key: key.public_key(),
            created_ms: 5,
            revision: 1,
            previous_digest: None,
        };
        Self {
            id,
            key,
            bundle,
            previous: None,
            code: String::new(),
            replace: false,
        }
    }

    /// A new installation of the same user, chained on this one.
    pub fn successor(&self, seed: u8) -> Self {
        let mut next = Self::new(self.id.as_str(), seed);
        next.bundle.revision = self.bundle.revision + 1;
        next.bundle.previous_digest = Some(bundle::digest(&self.signed_bundle()));
        next
    }

    /// The same installation with new keys, which the old ones countersign.
    pub fn rotated(&self, seed: u8) -> Self {
        let mut next = self.successor(seed);
        next.bundle.installation_id = self.bundle.installation_id;
        next.previous = Some(SignSecretKey::from_seed(self.key.expose_seed()));
        next
    }

    pub fn signed_bundle(&self) -> wire::SignedKeyBundle {
        bundle::sign(&self.bundle, &self.key, self.previous.as_ref())
    }

    pub fn enrollment(&self) -> Vec<u8> {
        codec::encode(&wire::EnrollRequest {
            enrollment_code: self.code.clone(),
            profile: Some(wire::Profile {
                display_name: format!("Dr. {}", self.id),
                ..Default::default()
            }),
            bundle: Some(self.signed_bundle()),
            replace_existing_installation: self.replace,
        })
    }

    pub async fn enroll(&self, world: &World) -> Answer {
        world.call(self, routes::ENROLL, &self.enrollment()).await
    }

    /// Publishes the keys of `next`, signed by the present ones.
    pub async fn rotate(&self, world: &World, next: &Self) -> Answer {
        let body = codec::encode(&next.signed_bundle());
        world.call(self, routes::KEYS, &body).await
    }

    pub async fn set_profile(&self, world: &World, profile: &wire::Profile) -> Answer {
        world
            .call(self, routes::PROFILE, &codec::encode(profile))
            .await
    }

    pub async fn delete(&self, world: &World) -> Answer {
        world.call(self, routes::DELETE_ACCOUNT, b"").await
    }

    pub async fn look_up(&self, world: &World, user_ids: &[&str]) -> Vec<wire::DirectoryEntry> {
        let lookup = wire::LookupRequest {
            user_ids: user_ids.iter().map(|&id| id.to_owned()).collect(),
        };
        let answer = world
            .call(self, routes::LOOKUP, &codec::encode(&lookup))
            .await;
        answer.entries()
    }

    pub async fn search(&self, world: &World, query: &str, limit: u32) -> Answer {
        let search = wire::SearchRequest {
            query: query.to_owned(),
            limit,
        };
        world
            .call(self, routes::SEARCH, &codec::encode(&search))
            .await
    }

    pub fn sign(&self, call: Call<'_>, timestamp_ms: u64, nonce: [u8; 16]) -> String {
        let caller = Caller {
            user_id: &self.id,
            timestamp_ms,
            nonce,
            client_type: "test/1",
            build_number: 1,
        };
        sign(call, caller, &self.key)
    }

    /// An envelope with one box per recipient.
    pub fn envelope(&self, message: u8, recipients: &[&str]) -> wire::Envelope {
        let sealed = |&recipient: &&str| wire::Sealed {
            recipient_id: recipient.to_owned(),
            sender_key_id: vec![1; 8],
            recipient_key_id: vec![2; 8],
            nonce: vec![3; 24],
            r#box: [vec![message; 512], recipient.as_bytes().to_vec()].concat(),
        };
        wire::Envelope {
            message_id: vec![message; 16],
            timestamp_ms: 1_000,
            sender_id: self.id.to_string(),
            sealed: recipients.iter().map(sealed).collect(),
            ..Default::default()
        }
    }

    pub async fn send(&self, world: &World, envelope: &wire::Envelope) -> Answer {
        world
            .call(self, routes::SEND, &codec::encode(envelope))
            .await
    }

    /// Receives at once what waits, and acknowledges nothing.
    pub async fn waiting(&self, world: &World) -> Vec<wire::Envelope> {
        self.receive(world, &wire::Ack::default())
            .await
            .envelopes()
            .envelopes
    }

    pub async fn receive(&self, world: &World, ack: &wire::Ack) -> Answer {
        world.call(self, routes::RECEIVE, &codec::encode(ack)).await
    }

    pub async fn acknowledge(
        &self,
        world: &World,
        envelopes: &[wire::Envelope],
    ) -> Vec<wire::Envelope> {
        let ack = wire::Ack {
            entries: entries(envelopes),
            ..Default::default()
        };
        self.receive(world, &ack).await.envelopes().envelopes
    }
}
