//! A relay that answers what it was told to, over real TLS on 127.0.0.1, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect_proto::hash::sha256;
use connect_proto::ids::UserId;
use connect_proto::request::Claim;
use connect_proto::sign::SignSecretKey;
use connect_uplink::address::RelayAddress;
use connect_uplink::uplink::{Credentials, Uplink};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData as _,
    date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) const NOW: u64 = 1_790_000_000_000;

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server's key, and the name and lifetime that its certificate will have.
pub(crate) struct Identity {
    pub(crate) key: KeyPair,
    pub(crate) host: &'static str,
    pub(crate) expired: bool,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
}

impl Identity {
    pub(crate) fn new() -> Self {
        Self::with_key(KeyPair::generate().unwrap())
    }

    pub(crate) fn with_key(key: KeyPair) -> Self {
        Self {
            key,
            host: "127.0.0.1",
            expired: false,
            versions: rustls::ALL_VERSIONS,
        }
    }

    pub(crate) fn pin(&self) -> String {
        pin(&sha256(&self.key.subject_public_key_info()))
    }

    fn server_config(&self, authority: &Authority) -> ServerConfig {
        let mut params = CertificateParams::new([self.host.to_owned()]).unwrap();
        if self.expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let certificate = params.signed_by(&self.key, authority).unwrap();
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

pub(crate) fn pin(digest: &[u8; 32]) -> String {
    format!("sha256/{}", STANDARD.encode(digest))
}

/// A request as it arrived.
pub(crate) struct Request {
    pub(crate) path: String,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Checks the signature as the relay does; gives the nonce and the timestamp.
    pub(crate) fn verified(&self, authority: &str, now_ms: u64) -> ([u8; 16], u64) {
        self.verified_as("POST", authority, now_ms)
    }

    /// As `verified`, for another method.
    pub(crate) fn verified_as(
        &self,
        method: &str,
        authority: &str,
        now_ms: u64,
    ) -> ([u8; 16], u64) {
        assert!(
            self.head.starts_with(&format!("{method} ")),
            "{}",
            self.head
        );
        let user: UserId = self.header("x-siilo-uid").unwrap().parse().unwrap();
        let claim = Claim::parse(self.header("x-siilo-sig").unwrap(), &user, now_ms).unwrap();
        let public = alice().1.public_key();
        let verified = claim
            .verify(method, authority, &self.path, &public)
            .unwrap();
        verified.check_body(&self.body).unwrap();
        (verified.nonce, verified.timestamp_ms)
    }
}

/// What is sent for one request.
pub(crate) enum Answer {
    Whole(Vec<u8>),
    /// The same chunk until nobody listens.
    Endless,
    Silence,
}

/// An answer with a status line, headers and a body of known length.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &[name, ": ", value, "\r\n"].concat();
    }
    head.push_str("\r\n");
    Answer::Whole([head.as_bytes(), body].concat())
}

pub(crate) struct Relay {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request>>,
    asked: Notify,
}

impl Relay {
    pub(crate) async fn start(
        identity: &Identity,
        authority: &Authority,
        answers: impl IntoIterator<Item = Answer>,
    ) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(identity.server_config(authority)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            answers: Mutex::new(answers.into_iter().collect()),
            ..Shared::default()
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self {
            port,
            shared,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    pub(crate) async fn asked(&self) {
        self.shared.asked.notified().await;
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = serve(stream, &shared).await;
            }
        });
    }
}

async fn serve(mut stream: TlsStream<TcpStream>, shared: &Shared) -> std::io::Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        shared.requests.lock().unwrap().push(request);
        let next = shared.answers.lock().unwrap().pop_front();
        shared.asked.notify_one();
        match next.expect("an answer was told") {
            Answer::Whole(bytes) => stream.write_all(&bytes).await?,
            Answer::Endless => {
                let head = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(head).await?;
                let chunk = [b"1000\r\n".as_slice(), &[7; 0x1000], b"\r\n"].concat();
                loop {
                    stream.write_all(&chunk).await?;
                }
            }
            Answer::Silence => std::future::pending().await,
        }
        stream.flush().await?;
    }
    Ok(())
}

async fn read_request(stream: &mut TlsStream<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let mut request = Request {
        path,
        head,
        body: Vec::new(),
    };
    let length = request.header("content-length").unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await?;
    request.body = body;
    Ok(Some(request))
}

pub(crate) fn alice() -> (UserId, SignSecretKey) {
    ("alice".parse().unwrap(), SignSecretKey::from_seed(&[3; 32]))
}

/// The daemon's side: an uplink, and who signs.
pub(crate) struct Daemon {
    pub(crate) uplink: Uplink,
    user_id: UserId,
    sign_key: SignSecretKey,
}

impl Daemon {
    pub(crate) fn new(address: &RelayAddress) -> Self {
        let (user_id, sign_key) = alice();
        Self {
            uplink: Uplink::new(address).unwrap(),
            user_id,
            sign_key,
        }
    }

    pub(crate) fn credentials(&self) -> Credentials<'_> {
        Credentials {
            user_id: &self.user_id,
            sign_key: &self.sign_key,
        }
    }
}

/// The address of a relay that is known by these keys.
pub(crate) fn address(url: &str, pins: &[String], authority: &Authority) -> RelayAddress {
    RelayAddress::parse(url, pins, Some(&authority.pem())).unwrap()
}

pub(crate) fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}
