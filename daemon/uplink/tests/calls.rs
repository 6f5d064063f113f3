//! What is asked of the relay and what its answers come to.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use connect_proto::list::Piece;
use connect_proto::{codec, routes, wire};
use connect_uplink::error::UplinkError;
use connect_uplink::uplink::{EnrollOutcome, SendOutcome};
use support::{Answer, Daemon, Identity, NOW, Relay, address, answer, authority, pin, rng};
use tokio::net::TcpListener;

async fn relay(answers: impl IntoIterator<Item = Answer>) -> (Relay, Daemon) {
    let (ca, identity) = (authority(), Identity::new());
    let relay = Relay::start(&identity, &ca, answers).await;
    let pins = [identity.pin(), pin(&[1; 32])];
    let daemon = Daemon::new(&address(&relay.url(), &pins, &ca));
    (relay, daemon)
}

impl Daemon {
    async fn send(&self, now_ms: u64) -> Result<SendOutcome, UplinkError> {
        self.uplink
            .send(self.credentials(), now_ms, &mut rng(), b"envelope")
            .await
    }

    async fn receive(&self, wait_ms: u32) -> Result<Vec<Piece>, UplinkError> {
        let ack = wire::Ack {
            wait_ms,
            ..wire::Ack::default()
        };
        self.uplink
            .receive(self.credentials(), NOW, &mut rng(), &ack)
            .await
    }

    async fn enroll(&self) -> Result<EnrollOutcome, UplinkError> {
        let request = wire::EnrollRequest::default();
        self.uplink
            .enroll(self.credentials(), NOW, &mut rng(), &request)
            .await
    }
}

fn date(ms: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms))
}

fn unauthorized(relay_ms: u64) -> Answer {
    answer(401, &[("date", &date(relay_ms))], b"unauthenticated")
}

fn accepted() -> Answer {
    answer(204, &[], b"")
}

#[tokio::test]
async fn a_call_is_signed_for_its_method_authority_path_and_body() {
    let (relay, daemon) = relay([accepted()]).await;
    assert_eq!(daemon.send(NOW).await, Ok(SendOutcome::Accepted));
    let [request] = relay.requests().try_into().ok().unwrap();
    assert_eq!(request.path, routes::SEND);
    assert_eq!(request.body, b"envelope");
    assert_eq!(request.header("content-type"), Some(routes::CONTENT_TYPE));
    assert_eq!(request.verified(&relay.authority(), NOW).1, NOW);
}

#[tokio::test]
async fn a_refusal_with_a_date_far_off_is_signed_again_once_with_the_relays_time() {
    const HOUR: u64 = 3_600_000;
    let (relay, daemon) = relay([unauthorized(NOW + HOUR), accepted(), accepted()]).await;
    assert_eq!(daemon.send(NOW).await, Ok(SendOutcome::Accepted));
    assert_eq!(daemon.uplink.clock_offset_ms(), 3_600_000);
    assert_eq!(daemon.send(NOW + 5).await, Ok(SendOutcome::Accepted));
    let [first, second, later] = relay.requests().try_into().ok().unwrap();
    let authority = relay.authority();
    let first = first.verified(&authority, NOW);
    let second = second.verified(&authority, NOW + HOUR);
    assert_eq!((first.1, second.1), (NOW, NOW + HOUR));
    assert_ne!(first.0, second.0);
    assert_eq!(later.verified(&authority, NOW + HOUR).1, NOW + HOUR + 5);
}

#[tokio::test]
async fn nothing_is_signed_again_where_time_is_not_the_reason_or_too_far_off() {
    const DAY: u64 = 86_400_000;
    for (relay_ms, error) in [
        (NOW + 200_000, UplinkError::Unauthorized),
        (NOW + DAY + 2000, UplinkError::ClockSkew),
        (NOW - DAY - 2000, UplinkError::ClockSkew),
    ] {
        let (relay, daemon) = relay([unauthorized(relay_ms)]).await;
        assert_eq!(daemon.send(NOW).await, Err(error));
        assert_eq!(relay.requests().len(), 1);
        assert_eq!(daemon.uplink.clock_offset_ms(), 0);
    }
    let (relay, daemon) = relay([unauthorized(NOW + 500_000), unauthorized(NOW + 500_000)]).await;
    assert_eq!(daemon.send(NOW).await, Err(UplinkError::Unauthorized));
    assert_eq!(relay.requests().len(), 2);
}

#[tokio::test]
async fn every_answer_to_a_send_has_its_outcome() {
    let full = |retry_after_ms| Ok(SendOutcome::MailboxFull { retry_after_ms });
    let wait = &[("retry-after", "7")];
    let table = [
        (
            answer(409, &[], b"message_conflict"),
            Ok(SendOutcome::Conflict),
        ),
        (answer(413, &[], b""), Ok(SendOutcome::TooLarge)),
        (answer(404, &[], b""), Ok(SendOutcome::UnknownRecipient)),
        (answer(400, &[], b"wrong_box"), Ok(SendOutcome::Refused)),
        (answer(507, &[], b""), full(None)),
        (answer(507, wait, b""), full(Some(7000))),
        (
            answer(429, wait, b""),
            Err(UplinkError::RateLimited {
                retry_after_ms: 7000,
            }),
        ),
        (
            answer(503, wait, b""),
            Err(UplinkError::RateLimited {
                retry_after_ms: 7000,
            }),
        ),
        (answer(503, &[], b""), Err(UplinkError::Unreachable)),
        (answer(500, &[], b""), Ok(SendOutcome::Odd(500))),
        (answer(418, &[], b""), Ok(SendOutcome::Odd(418))),
    ];
    let (answers, outcomes): (Vec<_>, Vec<_>) = table.into_iter().unzip();
    let (_relay, daemon) = relay(answers).await;
    for outcome in outcomes {
        assert_eq!(daemon.send(NOW).await, outcome);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, _) = relay([accepted()]).await;
    let location = [("location", elsewhere.url())];
    let headers = location.each_ref().map(|(name, url)| (*name, url.as_str()));
    let (_relay, daemon) = relay([answer(307, &headers, b"")]).await;
    assert_eq!(daemon.send(NOW).await, Ok(SendOutcome::Odd(307)));
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused_announced_or_not() {
    let announced = b"HTTP/1.1 200 X\r\ncontent-length: 9999999999\r\n\r\n".to_vec();
    for answer in [Answer::Whole(announced), Answer::Endless] {
        let (_relay, daemon) = relay([answer]).await;
        assert_eq!(daemon.receive(0).await.unwrap_err(), UplinkError::BadAnswer);
    }
}

#[tokio::test]
async fn a_list_of_envelopes_is_bounded_and_must_decode() {
    let list = |count| {
        let list = wire::EnvelopeList {
            envelopes: vec![wire::Envelope::default(); count],
            more: true,
        };
        answer(200, &[], &codec::encode(&list))
    };
    let (_relay, daemon) = relay([list(100), list(101), answer(200, &[], b"\xff")]).await;
    assert_eq!(daemon.receive(0).await.unwrap().len(), 100);
    assert_eq!(daemon.receive(0).await.unwrap_err(), UplinkError::BadAnswer);
    assert_eq!(daemon.receive(0).await.unwrap_err(), UplinkError::BadAnswer);
}

#[tokio::test]
async fn a_relay_that_says_nothing_is_given_up_after_the_wait_and_fifteen_seconds() {
    let (relay, daemon) = relay([Answer::Silence]).await;
    let start = tokio::time::Instant::now();
    let paused = async {
        relay.asked().await;
        tokio::time::pause();
    };
    let (received, ()) = tokio::join!(daemon.receive(30_000), paused);
    assert_eq!(received.unwrap_err(), UplinkError::Unreachable);
    let waited = start.elapsed();
    assert!(waited >= Duration::from_secs(45) && waited < Duration::from_secs(47));
}

#[tokio::test]
async fn users_are_looked_up_two_hundred_at_a_time() {
    let entries = |count| {
        let entries = wire::DirectoryEntries {
            entries: vec![wire::DirectoryEntry::default(); count],
        };
        answer(200, &[], &codec::encode(&entries))
    };
    let (relay, daemon) = relay([entries(200), entries(199), entries(1)]).await;
    let users: Vec<_> = (0..401).map(|n| format!("u{n}").parse().unwrap()).collect();
    let found = daemon
        .uplink
        .lookup(daemon.credentials(), NOW, &mut rng(), &users)
        .await
        .unwrap();
    assert_eq!(found.len(), 400);
    let asked: Vec<_> = relay
        .requests()
        .iter()
        .map(|request| {
            let asked: wire::LookupRequest = codec::decode(&request.body).unwrap();
            asked.user_ids.len()
        })
        .collect();
    assert_eq!(asked, [200, 200, 1]);
}

#[tokio::test]
async fn every_answer_to_an_enrollment_has_its_outcome() {
    let entry = wire::EnrollResponse {
        entry: Some(wire::DirectoryEntry::default()),
        operations_public_key: vec![4; 32],
    };
    let entry = codec::encode(&entry);
    let protobuf = &[("content-type", routes::CONTENT_TYPE)];
    let (_relay, daemon) = relay([
        answer(200, protobuf, &entry),
        answer(409, protobuf, &entry),
        answer(409, &[("content-type", "text/plain")], b"already_enrolled"),
        answer(403, &[], b"code_refused"),
    ])
    .await;
    let enrolled = daemon.enroll().await.unwrap();
    assert!(matches!(enrolled, EnrollOutcome::Enrolled(response)
        if response.operations_public_key == [4; 32]));
    let chained = daemon.enroll().await.unwrap();
    assert!(matches!(chained, EnrollOutcome::ChainOn(_)));
    let already = daemon.enroll().await.unwrap();
    assert!(matches!(already, EnrollOutcome::AlreadyEnrolled));
    let refused = daemon.enroll().await.unwrap();
    assert!(matches!(refused, EnrollOutcome::CodeRefused));
}

#[tokio::test]
async fn a_relay_that_is_not_there_is_unreachable() {
    let (relay, daemon) = relay([]).await;
    drop(relay);
    assert_eq!(daemon.send(NOW).await, Err(UplinkError::Unreachable));
}

/// The environment of this process stays as it is: another one is started with a proxy in its own.
#[tokio::test]
async fn a_proxy_in_the_environment_is_ignored() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let child = tokio::task::spawn_blocking(move || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            child.env(name, &url);
        }
        child.args(["--exact", "--ignored", "a_send_beside_a_proxy"]);
        child.env_remove("NO_PROXY").env_remove("no_proxy").output()
    });
    tokio::select! {
        child = child => {
            let output = child.unwrap().unwrap();
            assert!(output.status.success());
            assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        }
        _ = proxy.accept() => panic!("the proxy was asked"),
    }
}

#[tokio::test]
#[ignore = "runs inside another test"]
async fn a_send_beside_a_proxy() {
    let (_relay, daemon) = relay([accepted()]).await;
    assert_eq!(daemon.send(NOW).await, Ok(SendOutcome::Accepted));
}
