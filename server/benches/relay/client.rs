//! A client that costs little: HTTP/1.1 over one TLS connection that is kept, written by hand.

use std::path::Path;
use std::sync::Arc;

use connect_proto::hash::sha256;
use connect_proto::request::Call;
use connect_proto::routes;
use connect_relay::clock::Clock;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{User, nonce};

/// Trusts the relay's private CA and nothing else.
pub fn tls(state_dir: &Path) -> Arc<ClientConfig> {
    let ca = CertificateDer::from_pem_file(state_dir.join("ca.pem")).expect("a CA");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub struct Client {
    stream: TlsStream<TcpStream>,
    authority: String,
    answer: Vec<u8>,
}

impl Client {
    pub async fn connect(port: u16, tls: &Arc<ClientConfig>) -> Self {
        let tcp = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("connected");
        tcp.set_nodelay(true).expect("no delay");
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = connector.connect(name, tcp).await.expect("a handshake");
        Self {
            stream,
            authority: routes::authority("localhost", port),
            answer: Vec::new(),
        }
    }

    /// A whole request as it goes over the wire, signed now.
    pub fn request(&self, user: &User, path: &str, body: &[u8]) -> Vec<u8> {
        let call = Call {
            method: routes::METHOD_POST,
            authority: &self.authority,
            path,
            body_sha256: &sha256(body),
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\n{}: {}\r\n{}: {}\r\ncontent-length: {}\r\n\r\n",
            self.authority,
            routes::HEADER_USER,
            user.id,
            routes::HEADER_SIGNATURE,
            user.sign(call, Clock::system().now_ms(), nonce()),
            body.len(),
        );
        [head.as_bytes(), body].concat()
    }

    pub async fn write(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("written");
        self.stream.flush().await.expect("flushed");
    }

    /// Status and body of the next answer.
    pub async fn answer(&mut self) -> (u16, &[u8]) {
        self.answer.clear();
        let (head, len) = loop {
            self.read().await;
            if let Some(end) = self.answer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.answer[..end]).expect("a head");
                let len = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                break (end + 4, len.map_or(0, |len| len.parse().expect("a length")));
            }
        };
        while self.answer.len() < head + len {
            self.read().await;
        }
        let status = std::str::from_utf8(&self.answer[9..12]).expect("a status");
        (status.parse().expect("a status"), &self.answer[head..])
    }

    pub async fn call(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.write(request).await;
        self.answer().await
    }

    async fn read(&mut self) {
        let read = self.stream.read_buf(&mut self.answer).await.expect("read");
        assert_ne!(read, 0, "the relay hung up");
    }
}
