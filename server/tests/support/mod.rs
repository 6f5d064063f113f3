//! A relay on a port of its own, and clients that speak to it over real TLS.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its part of it"
)]

pub mod process;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use connect_proto::bundle::{self, Bundle};
use connect_proto::hash::sha256;
use connect_proto::ids::{InstallationId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::request::{Call, Caller, sign};
use connect_proto::sign::SignSecretKey;
use connect_proto::{codec, routes, wire};
use connect_relay::clock::{Clock, ManualClock};
use connect_relay::limits::Limits;
use connect_relay::relay::{Relay, RelayConfig, start};
use connect_relay::{identity, operator};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use reqwest::StatusCode;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tempfile::TempDir;

pub const DAY_MS: u64 = 86_400_000;

static NONCES: AtomicU64 = AtomicU64::new(1);

/// A relay whose clock the test moves.
pub struct World {
    pub dir: TempDir,
    pub relay: Relay,
    pub clock: Clock,
    pub time: ManualClock,
    pub limits: Limits,
    pub http: reqwest::Client,
    rng: ChaCha20Rng,
}

impl World {
    pub async fn new() -> Self {
        let unthrottled = 1_000_000.try_into().unwrap();
        Self::with(Limits {
            requests_per_second: unthrottled,
            request_burst: unthrottled,
            enrollments_per_minute: unthrottled,
            ..Limits::default()
        })
        .await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::on(tempfile::tempdir().unwrap(), limits).await
    }

    pub async fn on(dir: TempDir, limits: Limits) -> Self {
        let (clock, time) = Clock::manual(Clock::system().now_ms());
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        identity::init(dir.path(), &["relay.test".to_owned()], &clock, &mut rng).unwrap();
        let http = client(&dir, &[b"h2"]);
        let relay = started(&dir, &clock, &limits).await;
        Self {
            dir,
            relay,
            clock,
            time,
            limits,
            http,
            rng,
        }
    }

    /// The relay ends, and another one starts on the same state.
    pub async fn restarted(self) -> Self {
        let Self {
            dir,
            relay,
            clock,
            time,
            limits,
            rng,
            ..
        } = self;
        relay.shutdown().await;
        let relay = started(&dir, &clock, &limits).await;
        let http = client(&dir, &[b"h2"]);
        Self {
            dir,
            relay,
            clock,
            time,
            limits,
            http,
            rng,
        }
    }

    /// Days go by as they do, with a sweep each.
    pub async fn live(&self, days: u64) {
        for _ in 0..days {
            self.time.advance(DAY_MS);
            self.relay.sweep().await.unwrap();
        }
    }

    pub fn authority(&self) -> String {
        routes::authority("localhost", self.relay.local_addr().port())
    }

    pub async fn code(&mut self, user: &str) -> String {
        let user = user.parse().unwrap();
        operator::issue_code(self.dir.path(), &user, &self.clock, &mut self.rng)
            .await
            .unwrap()
    }

    /// A user who has enrolled.
    pub async fn user(&mut self, name: &str) -> User {
        let mut user = User::new(name, 1);
        user.code = self.code(name).await;
        let answer = user.enroll(self).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.word());
        user
    }

    /// Signs a call as it should be signed, now.
    pub fn signed(&self, user: &User, path: &str, body: &[u8]) -> Signed {
        self.signed_as(user, path, body, self.clock.now_ms(), nonce())
    }

    pub fn signed_as(
        &self,
        user: &User,
        path: &str,
        body: &[u8],
        timestamp_ms: u64,
        nonce: [u8; 16],
    ) -> Signed {
        let call = Call {
            method: "POST",
            authority: &self.authority(),
            path,
            body_sha256: &sha256(body),
        };
        let signature = user.sign(call, timestamp_ms, nonce);
        Signed {
            user: user.id.to_string(),
            path: path.to_owned(),
            signature,
            body: body.to_vec(),
        }
    }

    pub async fn call(&self, user: &User, path: &str, body: &[u8]) -> Answer {
        self.post(self.signed(user, path, body)).await
    }

    pub async fn post(&self, signed: Signed) -> Answer {
        self.post_by(&self.http, signed).await
    }

    pub async fn post_by(&self, http: &reqwest::Client, signed: Signed) -> Answer {
        let request = http
            .post(format!("https://{}{}", self.authority(), signed.path))
            .header(routes::HEADER_USER, signed.user)
            .header(routes::HEADER_SIGNATURE, signed.signature)
            .body(signed.body);
        Answer::read(request.send().await.unwrap()).await
    }
}

async fn started(dir: &TempDir, clock: &Clock, limits: &Limits) -> Relay {
    start(RelayConfig {
        state_dir: dir.path().to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        clock: clock.clone(),
        limits: limits.clone(),
    })
    .await
    .unwrap()
}

/// Trusts the relay's private CA and nothing else.
pub fn client(dir: &TempDir, alpn: &[&[u8]]) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(dir.path().join("ca.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = alpn.iter().map(|&protocol| protocol.to_vec()).collect();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap()
}

/// A call ready to be posted, or to be tampered with first.
#[derive(Clone)]
pub struct Signed {
    pub user: String,
    pub path: String,
    pub signature: String,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub date: String,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    async fn read(response: reqwest::Response) -> Self {
        let header = |name: &str| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
        Self {
            status: response.status(),
            date: header("date").unwrap(),
            retry_after: header("retry-after"),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    pub fn word(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn is(&self, status: u16, word: &str) -> bool {
        self.status.as_u16() == status && self.body == word.as_bytes()
    }

    pub fn envelopes(&self) -> wire::EnvelopeList {
        assert_eq!(self.status, StatusCode::OK, "{}", self.word());
        codec::decode(&self.body).unwrap()
    }
}

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

pub fn entries(envelopes: &[wire::Envelope]) -> Vec<wire::AckEntry> {
    envelopes
        .iter()
        .map(|envelope| wire::AckEntry {
            queue_seq: envelope.queue_seq,
            message_id: envelope.message_id.clone(),
            timestamp_ms: envelope.timestamp_ms,
        })
        .collect()
}

/// Never the same twice.
pub fn nonce() -> [u8; 16] {
    u128::from(NONCES.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
}
