//! Greedy, slow and absent clients of attachments: memory stays bounded, and the others are served.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::support::film::{Film, metrics, objects};
use crate::support::{User, World, client_builder};
use connect_proto::routes::{self, CHUNK_CIPHERTEXT};
use connect_relay::limits::Limits;
use reqwest::Method;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PATIENCE: Duration = Duration::from_mins(1);

fn address(world: &World) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], world.relay.local_addr().port()))
}

async fn tls(world: &World) -> TlsStream<TcpStream> {
    let tcp = TcpStream::connect(address(world)).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(world.dir.path().join("ca.pem")).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.unwrap()
}

/// The head of a request; it says that so much follows.
fn head(
    world: &World,
    user: &User,
    method: &Method,
    path: &str,
    body: &[u8],
    len: usize,
) -> String {
    let signed = world.signed_with(user, method, path, body);
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {}\r\n{}: {}\r\n{}: {}\r\ncontent-length: {len}\r\n\r\n",
        world.authority(),
        routes::HEADER_USER,
        signed.user,
        routes::HEADER_SIGNATURE,
        signed.signature,
    )
}

/// A chunk that is being sent and does not arrive.
async fn stuck_put(world: &World, user: &User, film: &Film) -> TlsStream<TcpStream> {
    let chunk = &film.chunks[0];
    let head = head(world, user, &Method::PUT, &film.path(1), chunk, chunk.len());
    let mut stream = tls(world).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&chunk[..10]).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

async fn told(mut stream: TlsStream<TcpStream>) -> String {
    let mut told = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut told))
        .await
        .unwrap();
    String::from_utf8_lossy(&told).into_owned()
}

/// Until the relay says that so many chunks are on their way.
async fn transfers(world: &World, expected: u64) {
    let line = format!("connect_relay_chunk_transfers {expected}\n");
    let wait = async {
        while !metrics(world).await.contains(&line) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn one_user_s_transfers_are_counted_and_the_others_have_their_own() {
    let mut world = World::with(Limits {
        transfers_per_user: 3,
        ..Limits::default()
    })
    .await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let film = Film::new(1, 1, 9, &["bob"]);
    film.upload(&world, &alice).await;
    let mut stuck = Vec::new();
    for _ in 0..3 {
        stuck.push(stuck_put(&world, &alice, &film).await);
    }
    transfers(&world, 3).await;
    for answer in [
        film.put(&world, &alice, 1).await,
        film.get(&world, &alice, 1).await,
    ] {
        assert!(answer.is(429, "slow_down"));
        assert_eq!(answer.retry_after.as_deref(), Some("1"));
    }
    assert!(film.is_read_by(&world, &bob).await);
    drop(stuck);
    transfers(&world, 0).await;
    assert_eq!(film.put(&world, &alice, 1).await.status, 204);
}

#[tokio::test]
async fn chunks_have_a_bound_in_memory_and_messages_room_of_their_own() {
    let mut world = World::with(Limits {
        chunks_in_transit_bytes: CHUNK_CIPHERTEXT - 1,
        ..Limits::default()
    })
    .await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 1, 100, &[]);
    assert_eq!(film.create(&world, &alice).await.status, 204);
    for _ in 0..3 {
        let refused = film.put(&world, &alice, 1).await;
        assert!(refused.is(503, "unavailable"), "{}", refused.status);
        assert_eq!(refused.retry_after.as_deref(), Some("1"));
    }
    for _ in 0..50 {
        assert_eq!(film.put(&world, &alice, 2).await.status, 204);
        assert_eq!(film.get(&world, &alice, 2).await.status, 200);
    }
    let envelope = alice.envelope(1, &["alice"]);
    assert_eq!(alice.send(&world, &envelope).await.status, 204);
}

#[tokio::test]
async fn who_sends_or_reads_too_slowly_is_given_up() {
    let mut world = World::with(Limits {
        chunk_seconds: 3,
        ..Limits::default()
    })
    .await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 1, 9, &[]);
    film.upload(&world, &alice).await;
    let put = told(stuck_put(&world, &alice, &film).await).await;
    assert!(
        put.starts_with("HTTP/1.1 408") && put.ends_with("too_slow"),
        "{put}"
    );

    // It takes no more than this until somebody reads.
    let http = client_builder(&world.dir, &[b"h2"]);
    let http = http
        .http2_initial_stream_window_size(65_535)
        .http2_initial_connection_window_size(65_535)
        .build()
        .unwrap();
    let signed = world.signed_with(&alice, &Method::GET, &film.path(1), b"");
    let request = http
        .get(format!("https://{}{}", world.authority(), signed.path))
        .header(routes::HEADER_USER, signed.user)
        .header(routes::HEADER_SIGNATURE, signed.signature);
    let got = request.send().await.unwrap();
    assert_eq!(got.status(), 200);
    transfers(&world, 0).await;
    let rest = timeout(PATIENCE, got.bytes()).await.unwrap();
    assert!(rest.is_err(), "it was cut off, and shows it");
    assert!(film.is_read_by(&world, &alice).await);
}

#[tokio::test]
async fn a_length_that_is_not_the_body_s_stores_nothing() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 0, 100, &[]);
    assert_eq!(film.create(&world, &alice).await.status, 204);
    let chunk = &film.chunks[0];
    // More is announced than comes, and the sender hangs up.
    let mut stream = tls(&world).await;
    let longer = head(
        &world,
        &alice,
        &Method::PUT,
        &film.path(1),
        chunk,
        chunk.len() + 5,
    );
    stream.write_all(longer.as_bytes()).await.unwrap();
    stream.write_all(chunk).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = told(stream).await;
    assert!(!answer.contains("204"), "{answer}");
    // Less is announced than comes: what was signed is not what is read.
    let mut stream = tls(&world).await;
    let shorter = head(
        &world,
        &alice,
        &Method::PUT,
        &film.path(1),
        chunk,
        chunk.len() - 5,
    );
    stream.write_all(shorter.as_bytes()).await.unwrap();
    stream.write_all(chunk).await.unwrap();
    let answer = told(stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    // What says that it is longer than any chunk is refused unread.
    let mut stream = tls(&world).await;
    let long = head(
        &world,
        &alice,
        &Method::PUT,
        &film.path(1),
        chunk,
        usize::MAX >> 1,
    );
    stream.write_all(long.as_bytes()).await.unwrap();
    let answer = told(stream).await;
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    assert!(objects(&world).is_empty());
    assert!(!film.is_read_by(&world, &alice).await);
}

#[tokio::test]
async fn who_hangs_up_in_the_middle_leaves_nothing_that_does_not_count() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let film = Film::new(1, 1, 9, &[]);
    assert_eq!(film.create(&world, &alice).await.status, 204);
    for polls in 0..40 {
        let mut put = Box::pin(film.put(&world, &alice, 1));
        for _ in 0..polls * 5 {
            if futures_util::poll!(&mut put).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(put);
    }
    assert_eq!(film.put(&world, &alice, 1).await.status, 204);
    transfers(&world, 0).await;
    assert_eq!(objects(&world).len(), 1);
    assert_eq!(world.relay.remove_orphans().await.unwrap(), 0);
    assert_eq!(film.get(&world, &alice, 1).await.body, film.chunks[0]);
}
