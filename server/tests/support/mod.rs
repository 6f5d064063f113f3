//! A relay on a port of its own, and clients that speak to it over real TLS.
#![expect(
    dead_code,
    unreachable_pub,
    reason = "the tests and the bench use their parts of it"
)]

pub mod film;
pub mod orders;
pub mod process;
mod user;

pub use user::User;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use connect_proto::bundle::{self, Bundle};
use connect_proto::hash::sha256;
use connect_proto::ids::{InstallationId, UserId};
use connect_proto::keys::BoxPublicKey;
use connect_proto::request::{Call, Caller, sign};
use connect_proto::sign::{Purpose, SignSecretKey, verify};
use connect_proto::{codec, routes, wire};
use connect_relay::clock::{Clock, ManualClock};
use connect_relay::limits::Limits;
use connect_relay::operator::client::{self, Badge, Desk, OperatorError};
use connect_relay::operator::order::{Credential, OperatorName, Order, Role};
use connect_relay::operator::token::Token;
use connect_relay::operator::{Entry, Verdict};
use connect_relay::relay::{Relay, RelayConfig, start};
use connect_relay::{identity, operator};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use reqwest::{Method, StatusCode};
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
            searches_per_minute: unthrottled,
            searches_per_day: unthrottled,
            ..Limits::default()
        })
        .await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::on(tempfile::tempdir().unwrap(), limits).await
    }

    /// With further lines in its `relay.toml`.
    pub async fn configured(lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = format!("hosts = [\"relay.test\"]\n{lines}\n");
        std::fs::write(dir.path().join("relay.toml"), settings).unwrap();
        Self::on(dir, Limits::default()).await
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

    /// What a contact update says, once its signature was found good.
    pub fn statement(&self, update: &wire::ContactUpdate) -> wire::ContactUpdateStatement {
        let seed = std::fs::read(self.dir.path().join("operations.key")).unwrap();
        let key = SignSecretKey::from_seed(&seed.try_into().unwrap()).public_key();
        let (statement, signature) = (&update.statement, &update.signature);
        verify(Purpose::ContactUpdate, statement, signature, &key).unwrap();
        codec::decode(statement).unwrap()
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

    /// Gives an order as the host, or under a credential's name.
    pub async fn order(
        &self,
        badge: Option<&Badge>,
        order: Order,
    ) -> Result<client::Answer, OperatorError> {
        let desk = Desk::open(self.dir.path()).unwrap();
        desk.give(&order, badge, &self.clock).await
    }

    /// The word with which an order is refused.
    pub async fn refusal(&self, badge: Option<&Badge>, order: Order) -> String {
        match self.order(badge, order).await {
            Err(OperatorError::Refused(refused)) => refused.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// A new credential.
    pub async fn operator(&mut self, name: &str, may: &[Role]) -> Badge {
        let token = Token::generate(&mut self.rng);
        let name: OperatorName = name.parse().unwrap();
        let order = Order::AddOperator {
            name: name.clone(),
            may: may.to_vec(),
            credential: Credential::TokenSha256(token.digest()),
        };
        self.order(None, order).await.unwrap();
        Badge { name, token }
    }

    pub async fn verify_log(&self, expect: Option<&str>) -> Verdict {
        let desk = Desk::open(self.dir.path()).unwrap();
        desk.inspect(expect).await.unwrap()
    }

    /// All entries of the operators' log.
    pub async fn log(&self) -> Vec<Entry> {
        let answer = self.order(None, Order::Audit { after: 0 }).await.unwrap();
        let entries = answer.result["entries"].as_array().unwrap();
        let entry = |written: &serde_json::Value| {
            serde_json::from_str(written["entry"].as_str().unwrap()).unwrap()
        };
        entries.iter().map(entry).collect()
    }

    /// A user who has enrolled.
    pub async fn user(&mut self, name: &str) -> User {
        let mut user = User::new(name, 1);
        user.code = self.code(name).await;
        let answer = user.enroll(self).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.word());
        user
    }

    /// The same user on another machine, in the place of what was there.
    pub async fn reinstalled(&mut self, before: &User, seed: u8) -> User {
        let mut user = before.successor(seed);
        user.code = self.code(before.id.as_str()).await;
        user.replace = true;
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

    /// A call with any method, signed as it should be.
    pub async fn ask(&self, user: &User, method: Method, path: &str, body: &[u8]) -> Answer {
        let signed = self.signed_with(user, &method, path, body);
        self.ask_with(method, signed).await
    }

    pub fn signed_with(&self, user: &User, method: &Method, path: &str, body: &[u8]) -> Signed {
        let call = Call {
            method: method.as_str(),
            authority: &self.authority(),
            path,
            body_sha256: &sha256(body),
        };
        Signed {
            user: user.id.to_string(),
            path: path.to_owned(),
            signature: user.sign(call, self.clock.now_ms(), nonce()),
            body: body.to_vec(),
        }
    }

    pub async fn ask_with(&self, method: Method, signed: Signed) -> Answer {
        let url = format!("https://{}{}", self.authority(), signed.path);
        let request = self
            .http
            .request(method, url)
            .header(routes::HEADER_USER, signed.user)
            .header(routes::HEADER_SIGNATURE, signed.signature)
            .body(signed.body);
        Answer::read(request.send().await.unwrap()).await
    }

    /// A call without the headers that say whose it is.
    pub async fn post_bare(&self, path: &str, body: &[u8]) -> Answer {
        let url = format!("https://{}{path}", self.authority());
        let request = self.http.post(url).body(body.to_vec());
        Answer::read(request.send().await.unwrap()).await
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
    client_builder(dir, alpn).build().unwrap()
}

pub fn client_builder(dir: &TempDir, alpn: &[&[u8]]) -> reqwest::ClientBuilder {
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

    /// Of a lookup or a search.
    pub fn entries(&self) -> Vec<wire::DirectoryEntry> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.word());
        let entries: wire::DirectoryEntries = codec::decode(&self.body).unwrap();
        entries.entries
    }

    pub fn entry(&self) -> wire::DirectoryEntry {
        codec::decode(&self.body).unwrap()
    }

    /// What the relay says to someone whose key is not active any more.
    pub fn ended(&self, world: &World) -> wire::ContactUpdateStatement {
        assert_eq!(self.status, StatusCode::UNAUTHORIZED, "{}", self.word());
        let update: wire::ContactUpdate = codec::decode(&self.body).unwrap();
        world.statement(&update)
    }

    pub fn envelopes(&self) -> wire::EnvelopeList {
        assert_eq!(self.status, StatusCode::OK, "{}", self.word());
        codec::decode(&self.body).unwrap()
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
