//! Connections that are slow, silent, too many or too talkative: each ends, and the others are served.

use std::sync::Arc;

use crate::support::{User, World};
use connect_proto::{codec, routes, wire};
use connect_relay::limits::Limits;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What opens an HTTP/2 connection: the preface and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// HEADERS of stream 1 without END_HEADERS: more is to come, and never does.
const UNFINISHED: &[u8] = b"\0\0\x01\x01\0\0\0\0\x01\x83";

fn hasty() -> Limits {
    Limits {
        handshake_seconds: 1,
        header_seconds: 1,
        body_seconds: 1,
        ..Limits::default()
    }
}

async fn tcp(world: &World) -> TcpStream {
    let port = world.relay.local_addr().port();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

async fn tls(world: &World, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(world.dir.path().join("ca.pem")).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp(world).await)
        .await
}

/// All that comes until the relay hangs up, in whichever way.
async fn rest(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told).await;
    String::from_utf8_lossy(&told).into_owned()
}

fn head(world: &World, user: &User, body: &[u8]) -> String {
    let signed = world.signed(user, routes::SEND, body);
    format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\n{}: {}\r\n{}: {}\r\ncontent-length: {}\r\n\r\n",
        signed.path,
        world.authority(),
        routes::HEADER_USER,
        signed.user,
        routes::HEADER_SIGNATURE,
        signed.signature,
        body.len()
    )
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on() {
    let world = World::with(hasty()).await;
    assert_eq!(rest(tcp(&world).await).await, "", "no handshake");
    let silent = [
        (&b"http/1.1"[..], &b""[..]),
        (b"http/1.1", b"POST / HTTP/1.1\r\nhost: "),
        (b"http/1.1", b"POST / HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        (b"h2", b""),
        (b"h2", PREFACE),
        (b"h2", &[PREFACE, UNFINISHED].concat()),
    ];
    let world = &world;
    let ends = silent.into_iter().map(async |(alpn, said)| {
        let mut stream = tls(world, alpn).await.unwrap();
        stream.write_all(said).await.unwrap();
        rest(stream).await;
    });
    futures_util::future::join_all(ends).await;
}

#[tokio::test]
async fn a_connection_that_waits_for_an_answer_is_not_hung_up_on() {
    let mut world = World::with(Limits {
        handshake_seconds: 60,
        ..hasty()
    })
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    // Longer than the silence that is granted, and over HTTP/2.
    let ack = wire::Ack {
        wait_ms: 2_500,
        ..Default::default()
    };
    let list = bob.receive(&world, &ack).await.envelopes();
    assert!(list.envelopes.is_empty());
    assert_eq!(
        alice
            .send(&world, &alice.envelope(1, &["bob"]))
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn a_body_that_dribbles_is_given_up() {
    let mut world = World::with(Limits {
        body_seconds: 1,
        ..Limits::default()
    })
    .await;
    let alice = world.user("alice").await;
    let body = codec::encode(&alice.envelope(1, &["alice"]));
    let mut stream = tls(&world, b"http/1.1").await.unwrap();
    let head = head(&world, &alice, &body);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..10]).await.unwrap();
    let told = rest(stream).await;
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    assert!(alice.waiting(&world).await.is_empty());
}

#[tokio::test]
async fn headers_have_a_longest_length() {
    let world = World::with(hasty()).await;
    let mut stream = tls(&world, b"http/1.1").await.unwrap();
    let long = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx: {}",
        "x".repeat(64 << 10)
    );
    let _ = stream.write_all(long.as_bytes()).await;
    let told = rest(stream).await;
    assert!(
        told.is_empty() || told.starts_with("HTTP/1.1 431"),
        "{told}"
    );
}

#[tokio::test]
async fn one_address_has_its_share_of_connections() {
    let world = World::with(Limits {
        connections_per_address: 2,
        ..Limits::default()
    })
    .await;
    let one = tcp(&world).await;
    let two = tls(&world, b"h2").await.unwrap();
    assert!(tls(&world, b"h2").await.is_err(), "one too many");
    drop((one, two));
    while tls(&world, b"h2").await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn bodies_have_a_bound_in_memory_and_nothing_is_kept_of_what_exceeds_it() {
    let mut world = World::with(Limits {
        bodies_bytes: 50_000,
        ..Limits::default()
    })
    .await;
    let alice = world.user("alice").await;
    let mut large = alice.envelope(1, &["alice"]);
    large.sealed[0].r#box = vec![7; 64 << 10];
    for _ in 0..3 {
        let refused = alice.send(&world, &large).await;
        assert!(refused.is(503, "unavailable"));
        assert_eq!(refused.retry_after.as_deref(), Some("1"));
    }
    // More than the bound, one after the other: each gives back what it held.
    for message in 2..=100 {
        let answer = alice
            .send(&world, &alice.envelope(message, &["alice"]))
            .await;
        assert_eq!(answer.status, 204);
    }
    assert_eq!(alice.waiting(&world).await.len(), 99);
}

#[tokio::test]
async fn who_calls_too_often_is_told_when_to_call_again() {
    let one = 1.try_into().unwrap();
    let mut world = World::with(Limits {
        requests_per_second: one,
        request_burst: one,
        ..Limits::default()
    })
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    assert!(alice.waiting(&world).await.is_empty());
    let refused = loop {
        let answer = alice.send(&world, &alice.envelope(1, &["bob"])).await;
        if answer.status != 204 {
            break answer;
        }
    };
    assert!(refused.is(429, "slow_down"));
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
    assert!(bob.receive(&world, &wire::Ack::default()).await.status == 200);
}
