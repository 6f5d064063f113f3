//! The relay's handlers behind their router: an input is a request of an enrolled user's, rightly signed, or not quite.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use connect_proto::hash::sha256;
use connect_proto::request::{Call, Caller, sign};
use connect_proto::{codec, routes, wire};
use connect_relay::clock::Clock;
use connect_relay::limits::Limits;
use connect_relay::relay::{Relay, RelayConfig, start};
use connect_relay::{identity, operator};
use http_body_util::BodyExt as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::daemon::{fresh_dir, runtime};
use crate::stories::{Actor, NOW_MS, alice, bob};

/// Long polls are given up: what matters was decoded before.
const PATIENCE: Duration = Duration::from_millis(20);

struct House {
    router: Router,
    authority: String,
    runtime: Runtime,
    _relay: Relay,
    _dir: TempDir,
}

static HOUSE: LazyLock<House> = LazyLock::new(House::build);
static NONCES: AtomicU64 = AtomicU64::new(1);

impl House {
    fn build() -> Self {
        let (dir, runtime) = (fresh_dir(), runtime());
        let (clock, _) = Clock::manual(NOW_MS);
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        identity::init(dir.path(), &["relay.test".to_owned()], &clock, &mut rng)
            .expect("an identity");
        let unthrottled = 1_000_000.try_into().expect("not zero");
        let relay = runtime
            .block_on(start(RelayConfig {
                state_dir: dir.path().to_owned(),
                listen: ([127, 0, 0, 1], 0).into(),
                clock: clock.clone(),
                limits: Limits {
                    requests_per_second: unthrottled,
                    request_burst: unthrottled,
                    enrollments_per_minute: unthrottled,
                    mailbox_messages: 50,
                    attachments_per_minute: unthrottled,
                    ..Limits::default()
                },
            }))
            .expect("a relay");
        let house = Self {
            router: relay.router(),
            authority: format!("relay.test:{}", relay.local_addr().port()),
            runtime,
            _relay: relay,
            _dir: dir,
        };
        for actor in [alice(), bob()] {
            let issued = operator::issue_code(house._dir.path(), &actor.id, &clock, &mut rng);
            let code = house.runtime.block_on(issued).expect("a code");
            let body = enrollment(&actor, code);
            let status =
                house
                    .runtime
                    .block_on(house.ask(&actor, ("POST", routes::ENROLL), &body, 0));
            assert_eq!(status, Some(StatusCode::OK));
        }
        house
    }

    /// The status, unless the relay waits for something.
    async fn ask(
        &self,
        actor: &Actor,
        (method, path): (&str, &str),
        body: &[u8],
        wrong: u8,
    ) -> Option<StatusCode> {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&NONCES.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let call = Call {
            method,
            authority: &self.authority,
            path,
            body_sha256: &sha256(if wrong == 1 { b"another" } else { body }),
        };
        let caller = Caller {
            user_id: &actor.id,
            timestamp_ms: if wrong == 2 { 1 } else { NOW_MS },
            nonce,
            client_type: "fuzz",
            build_number: 1,
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.authority))
            .header(routes::HEADER_USER, actor.id.as_str())
            .header(
                routes::HEADER_SIGNATURE,
                sign(call, caller, &actor.sign_key),
            )
            .body(Body::from(body.to_vec()))
            .expect("a request");
        let answer = tokio::time::timeout(PATIENCE, self.router.clone().oneshot(request)).await;
        let answer = answer.ok()?.expect("a router does not fail");
        let status = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        if status == StatusCode::OK && path == routes::RECEIVE {
            codec::decode::<wire::EnvelopeList>(&body).expect("a list");
        }
        Some(status)
    }
}

pub(crate) fn enrollment(actor: &Actor, code: String) -> Vec<u8> {
    codec::encode(&wire::EnrollRequest {
        enrollment_code: code,
        profile: Some(wire::Profile {
            display_name: actor.id.to_string(),
            ..Default::default()
        }),
        bundle: Some(actor.signed_bundle()),
        replace_existing_installation: false,
    })
}

/// One that the seeds announce, with one chunk.
const CHUNK: &str = "/api/v1/attachments/abababababababababababababababab/1";
const ATTACHMENT: &str = "/api/v1/attachments/abababababababababababababababab";

/// The first byte says where to and what is wrong with it; the rest is the body.
pub(crate) fn relay(data: &[u8]) {
    let Some((how, body)) = data.split_first() else {
        return;
    };
    let call = match (how / 40, how % 5) {
        (5.., 0 | 4) => ("POST", routes::ATTACHMENTS),
        (5.., 1) => ("PUT", CHUNK),
        (5.., 2) => ("GET", CHUNK),
        (5.., _) => ("DELETE", ATTACHMENT),
        (_, 0) => ("POST", routes::SEND),
        (_, 1) => ("POST", routes::RECEIVE),
        (_, 2) => ("POST", routes::LOOKUP),
        (_, 3) => ("POST", routes::ENROLL),
        (_, _) => ("POST", routes::SEARCH),
    };
    let wrong = (how / 5) % 8;
    let status = HOUSE
        .runtime
        .block_on(HOUSE.ask(&alice(), call, body, wrong));
    if let Some(status) = status {
        assert!(
            !status.is_server_error() || status == StatusCode::INSUFFICIENT_STORAGE,
            "{status}"
        );
        assert!(
            !(wrong == 1 || wrong == 2) || !status.is_success(),
            "{status}"
        );
    }
}
