//! Where operators come in: the socket, TLS with client certificates, and all that is answered there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::support::World;
use connect_proto::hash::sha256;
use connect_proto::routes;
use connect_relay::limits::Limits;
use connect_relay::operator::order::{Credential, Order, Role};
use connect_relay::relay::{RelayConfig, StartError, start};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// One request over the socket; the whole answer.
async fn ask(socket: &Path, request_line: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request = format!("{request_line} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_socket_is_the_relays_own_or_its_groups() {
    let world = World::new().await;
    assert_eq!(mode(&world.dir.path().join("operators.sock")), 0o600);
    let world = World::configured("[operators]\ngroup = true").await;
    assert_eq!(mode(&world.dir.path().join("operators.sock")), 0o660);
    let elsewhere = tempfile::tempdir().unwrap();
    let socket = elsewhere.path().join("desk");
    let line = format!("operators_socket = \"{}\"", socket.display());
    let mut world = World::configured(&line).await;
    world.operator("nora", &[Role::Attest]).await;
    assert!(!world.dir.path().join("operators.sock").exists());
}

#[tokio::test]
async fn a_socket_that_was_left_behind_is_replaced_and_nothing_else_is() {
    let world = World::new().await;
    let mut world = world.restarted().await;
    world.user("alice").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = async |socket: &Path| {
        let dir = tempfile::tempdir().unwrap();
        let settings = format!("hosts = []\noperators_socket = \"{}\"\n", socket.display());
        std::fs::write(dir.path().join("relay.toml"), settings).unwrap();
        let mut rng = rand_core::OsRng;
        connect_relay::identity::init(dir.path(), &[], &world.clock, &mut rng).unwrap();
        let started = start(RelayConfig {
            state_dir: dir.path().to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            clock: world.clock.clone(),
            limits: Limits::default(),
        });
        match started.await {
            Err(StartError::Operators(error)) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let live = refused(&world.dir.path().join("operators.sock")).await;
    assert!(live.contains("another relay listens"), "{live}");
    let file = elsewhere.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(refused(&file).await.contains("no socket"));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "kept");
    assert!(world.log().await.len() == 1, "the live one goes on");
}

#[tokio::test]
async fn health_and_numbers_are_told_and_no_user_is() {
    let mut world = World::new().await;
    let alice = world.user("alice-canary").await;
    alice
        .send(&world, &alice.envelope(1, &["alice-canary"]))
        .await;
    let socket = world.dir.path().join("operators.sock");
    let health = ask(&socket, "GET /healthz").await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    let metrics = ask(&socket, "GET /metrics").await;
    for line in [
        "connect_relay_users{state=\"active\"} 1",
        "connect_relay_mailbox_messages 1",
        "connect_relay_operator_log_entries 1",
        "connect_relay_requests_total{path=\"/api/v1/messages/send\",status=\"2xx\"} 1",
        "# TYPE connect_relay_requests_total counter",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("canary"));
}

#[tokio::test]
async fn nothing_else_is_served_there_least_of_all_a_mailbox() {
    let world = World::new().await;
    let socket = world.dir.path().join("operators.sock");
    let public = [
        routes::ENROLL,
        routes::SEND,
        routes::RECEIVE,
        routes::LOOKUP,
        routes::SEARCH,
        routes::PROFILE,
        routes::KEYS,
        routes::DELETE_ACCOUNT,
    ];
    for path in public
        .into_iter()
        .chain(["/", "/v1", "/v1/mailbox", "/v1/messages"])
    {
        for method in ["GET", "POST"] {
            let answer = ask(&socket, &format!("{method} {path}")).await;
            assert!(
                answer.starts_with("HTTP/1.1 404"),
                "{method} {path}: {answer}"
            );
        }
    }
    let unread = ask(&socket, "GET /v1/orders").await;
    assert!(unread.starts_with("HTTP/1.1 405"), "{unread}");
    let empty = ask(&socket, "POST /v1/orders").await;
    assert!(empty.starts_with("HTTP/1.1 400"), "{empty}");
}

/// A CA of the hospital's, and what it issued.
struct Hospital {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Hospital {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    fn issue(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(Vec::new()).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (certificate.der().clone(), key)
    }
}

fn client(
    world: &World,
    own: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(world.dir.path().join("ca.pem")).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let tls = match own {
        Some((certificate, key)) => tls.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => tls.with_no_client_auth(),
    };
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap()
}

#[tokio::test]
async fn over_the_network_a_client_certificate_is_the_credential() {
    let hospital = Hospital::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let ca = elsewhere.path().join("operators-ca.pem");
    std::fs::write(&ca, hospital.issuer.pem()).unwrap();
    let lines = format!(
        "[operators]\nlisten = \"127.0.0.1:0\"\nclient_ca = \"{}\"",
        ca.display()
    );
    let mut world = World::configured(&lines).await;
    world.user("alice").await;
    let known = hospital.issue();
    let add = Order::AddOperator {
        name: "nora".parse().unwrap(),
        may: vec![Role::Attest],
        credential: Credential::CertificateSha256(sha256(&known.0)),
    };
    world.order(None, add).await.unwrap();
    let port = world.relay.operators_addr().unwrap().port();
    let order = async |http: &reqwest::Client, order: &Order| {
        let body = serde_json::to_vec(order).unwrap();
        let url = format!("https://localhost:{port}/v1/orders");
        let answer = http.post(url).body(body).send().await?;
        let status = answer.status().as_u16();
        Ok::<_, reqwest::Error>((status, answer.text().await?))
    };
    let issue = Order::IssueCode {
        user_id: "bob".parse().unwrap(),
        code_hash: [4; 32],
    };
    let nora = client(&world, Some(known));
    let (status, answer) = order(&nora, &issue).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    let remove = Order::RemoveOperator {
        name: "nora".parse().unwrap(),
    };
    let (status, answer) = order(&nora, &remove).await.unwrap();
    assert_eq!(status, 403);
    assert!(answer.contains("host_only"), "{answer}");
    let (status, answer) = order(&client(&world, Some(hospital.issue())), &issue)
        .await
        .unwrap();
    assert_eq!(status, 401);
    assert!(answer.contains("wrong_credential"), "{answer}");
    assert!(order(&client(&world, None), &issue).await.is_err());
    let other_hospital = Hospital::new().issue();
    assert!(
        order(&client(&world, Some(other_hospital)), &issue)
            .await
            .is_err()
    );
    let log = world.log().await;
    assert!(
        log.iter()
            .any(|entry| entry.operator == "nora" && entry.order == "issue_code")
    );
}

/// Whoever reaches the address from elsewhere, and says nothing, keeps nobody out who stands at the machine.
#[tokio::test]
async fn a_crowd_at_the_network_s_door_leaves_the_socket_free() {
    let hospital = Hospital::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let ca = elsewhere.path().join("operators-ca.pem");
    std::fs::write(&ca, hospital.issuer.pem()).unwrap();
    let lines = format!(
        "[operators]\nlisten = \"127.0.0.1:0\"\nclient_ca = \"{}\"",
        ca.display()
    );
    let world = World::configured(&lines).await;
    let address = world.relay.operators_addr().unwrap();
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let socket = world.dir.path().join("operators.sock");
    // What is held up comes only once a handshake has been given up: that takes twice as long.
    let limit = std::time::Duration::from_secs(5);
    for _ in 0..20 {
        let answer = tokio::time::timeout(limit, ask(&socket, "GET /healthz")).await;
        assert!(answer.unwrap().starts_with("HTTP/1.1 200"));
    }
    drop(crowd);
}
