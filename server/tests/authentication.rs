//! Who is not let in (D8): every check, and that all refusals look alike.

use crate::support::{Answer, Signed, User, World, client, nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connect_proto::hash::sha256;
use connect_proto::request::Call;
use connect_proto::{codec, routes, wire};
use connect_relay::limits::Limits;

const REFUSED: (u16, &str) = (401, "unauthenticated");

fn is_refused(answer: &Answer) -> bool {
    answer.is(REFUSED.0, REFUSED.1)
}

fn with_call(world: &World, user: &User, call: Call<'_>) -> Signed {
    let signature = user.sign(call, world.clock.now_ms(), nonce());
    Signed {
        signature,
        ..world.signed(user, routes::RECEIVE, b"")
    }
}

#[tokio::test]
async fn a_request_outside_the_window_is_refused_and_told_the_time() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let now = world.clock.now_ms();
    for timestamp in [now - 300_001, now + 300_001] {
        let answer = world
            .post(world.signed_as(&alice, routes::RECEIVE, b"", timestamp, nonce()))
            .await;
        assert!(is_refused(&answer));
        let date = httpdate::parse_http_date(&answer.date).unwrap();
        let told = date
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert_eq!(told, now / 1_000);
    }
    for timestamp in [now - 300_000, now + 300_000] {
        let answer = world
            .post(world.signed_as(&alice, routes::RECEIVE, b"", timestamp, nonce()))
            .await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn a_nonce_is_good_once_even_after_a_restart() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let bob = world.user("bob").await;
    let again = nonce();
    let now = world.clock.now_ms();
    let signed = world.signed_as(&alice, routes::RECEIVE, b"", now, again);
    assert_eq!(world.post(signed.clone()).await.status, 200);
    assert!(is_refused(&world.post(signed).await));
    let redated = world.signed_as(&alice, routes::RECEIVE, b"", now + 1, again);
    assert!(is_refused(&world.post(redated).await));
    let another_user = world.signed_as(&bob, routes::RECEIVE, b"", now, again);
    assert_eq!(world.post(another_user).await.status, 200);

    let world = world.restarted().await;
    // The port is another one: the call is signed anew, with the old nonce.
    let replayed = world.signed_as(&alice, routes::RECEIVE, b"", now, again);
    assert!(is_refused(&world.post(replayed).await));
    for _ in 0..3 {
        world.time.advance(300_000);
        world.relay.sweep().await.unwrap();
    }
    let inside = world.signed_as(&alice, routes::RECEIVE, b"", now + 600_000, again);
    assert!(is_refused(&world.post(inside).await));
    world.time.advance(1);
    world.relay.sweep().await.unwrap();
    let forgotten = world.signed_as(&alice, routes::RECEIVE, b"", now + 600_001, again);
    assert_eq!(world.post(forgotten).await.status, 200);
}

#[tokio::test]
async fn simultaneous_requests_with_one_nonce_have_one_effect() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let signed = world.signed(&alice, routes::RECEIVE, b"");
    let answers = futures_util::future::join_all((0..20).map(|_| world.post(signed.clone()))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        1
    );
    assert_eq!(
        answers.iter().filter(|answer| is_refused(answer)).count(),
        19
    );
}

#[tokio::test]
async fn a_swapped_body_is_refused_and_does_not_spend_the_nonce() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let honest = world.signed(&alice, routes::RECEIVE, b"");
    let ack = codec::encode(&wire::Ack {
        limit: 1,
        ..Default::default()
    });
    assert!(is_refused(
        &world
            .post(Signed {
                body: ack,
                ..honest.clone()
            })
            .await
    ));
    assert_eq!(world.post(honest).await.status, 200);
}

#[tokio::test]
async fn a_signature_for_another_method_path_or_authority_is_refused() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let authority = world.authority();
    let call = Call {
        method: "POST",
        authority: &authority,
        path: routes::RECEIVE,
        body_sha256: &sha256(b""),
    };
    let elsewhere = format!("evil.test:{}", world.relay.local_addr().port());
    for swapped in [
        Call {
            method: "PUT",
            ..call
        },
        Call {
            path: routes::SEND,
            ..call
        },
        Call {
            authority: "localhost:443",
            ..call
        },
        Call {
            authority: &elsewhere,
            ..call
        },
        Call {
            authority: "",
            ..call
        },
    ] {
        assert!(
            is_refused(&world.post(with_call(&world, &alice, swapped)).await),
            "{swapped:?}"
        );
    }
    assert_eq!(
        world.post(with_call(&world, &alice, call)).await.status,
        200
    );

    let mut queried = with_call(&world, &alice, call);
    queried.path = format!("{}?a=b", routes::RECEIVE);
    assert!(is_refused(&world.post(queried).await));
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_refused_even_when_it_is_what_was_signed() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let http1 = client(&world.dir, &[b"http/1.1"]);
    for (host, expected) in [("evil.test:443", 401), ("Relay.test", 200), ("", 401)] {
        let authority = routes::authority(host, 443);
        let authority = if host.contains(':') {
            host
        } else {
            authority.as_str()
        };
        let call = Call {
            method: "POST",
            authority,
            path: routes::RECEIVE,
            body_sha256: &sha256(b""),
        };
        let answer = http1
            .post(format!("https://{}{}", world.authority(), routes::RECEIVE))
            .header("host", host)
            .header(routes::HEADER_USER, "alice")
            .header(
                routes::HEADER_SIGNATURE,
                alice.sign(call, world.clock.now_ms(), nonce()),
            );
        assert_eq!(
            answer.send().await.unwrap().status().as_u16(),
            expected,
            "{host}"
        );
    }
}

#[tokio::test]
async fn an_unknown_user_and_a_bad_signature_are_answered_alike() {
    let mut world = World::new().await;
    world.user("alice").await;
    let unknown = world
        .call(&User::new("mallory", 1), routes::RECEIVE, b"")
        .await;
    let wrong_key = world
        .call(&User::new("alice", 2), routes::RECEIVE, b"")
        .await;
    assert!(is_refused(&unknown));
    assert_eq!(unknown, wrong_key);
}

#[tokio::test]
async fn malformed_headers_are_refused() {
    let mut world = World::new().await;
    let alice = world.user("alice").await;
    let good = world.signed(&alice, routes::RECEIVE, b"");
    let long = Signed {
        signature: "A".repeat(2_049),
        ..good.clone()
    };
    assert!(world.post(long).await.is(431, "header_too_long"));
    for signature in [
        "",
        "%%%",
        "AAAA",
        &STANDARD.encode([0_u8; 64]),
        &STANDARD.encode([7_u8; 200]),
    ] {
        assert!(is_refused(
            &world
                .post(Signed {
                    signature: signature.to_owned(),
                    ..good.clone()
                })
                .await
        ));
    }
    for user in ["bob", "a/b", ""] {
        assert!(is_refused(
            &world
                .post(Signed {
                    user: user.to_owned(),
                    ..good.clone()
                })
                .await
        ));
    }
    let bare = world
        .http
        .post(format!("https://{}{}", world.authority(), routes::SEND))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status().as_u16(), 401);
    assert_eq!(world.post(good).await.status, 200);
}

#[tokio::test]
async fn the_cheap_checks_come_before_the_dear_ones() {
    let limits = Limits {
        requests_per_second: 1.try_into().unwrap(),
        request_burst: 1.try_into().unwrap(),
        ..Limits::default()
    };
    let world = World::with(limits).await;
    let mallory = User::new("mallory", 1);
    let now = world.clock.now_ms();
    let stale = world.signed_as(&mallory, routes::RECEIVE, b"", now - 400_000, nonce());
    for _ in 0..3 {
        assert!(
            is_refused(&world.post(stale.clone()).await),
            "the window comes before the rate limit"
        );
    }
    let signed = world.signed(&mallory, routes::RECEIVE, b"");
    let begun = tokio::time::Instant::now();
    let mut limited = world.post(signed.clone()).await;
    assert!(is_refused(&limited));
    let mut refused = 1;
    while is_refused(&limited) {
        // One at once, and one for each second since.
        assert!(refused <= 1 + begun.elapsed().as_secs(), "{refused}");
        limited = world.post(signed.clone()).await;
        refused += 1;
    }
    assert!(
        limited.is(429, "slow_down"),
        "the rate limit comes before the signature"
    );
    assert_eq!(limited.retry_after.as_deref(), Some("1"));
}

#[tokio::test]
async fn only_the_known_paths_and_methods_are_served() {
    let world = World::new().await;
    let url = |path: &str| format!("https://{}{path}", world.authority());
    for path in ["/", "/healthz", "/metrics", "/api/v1/messages"] {
        assert_eq!(
            world
                .http
                .post(url(path))
                .send()
                .await
                .unwrap()
                .status()
                .as_u16(),
            404,
            "{path}"
        );
    }
    let get = world.http.get(url(routes::SEND)).send().await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    assert!(get.headers().contains_key("date"));
}

#[tokio::test]
async fn tls_1_2_is_not_spoken() {
    let world = World::new().await;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap();
    let error = http
        .get(format!("https://{}/", world.authority()))
        .send()
        .await
        .unwrap_err();
    assert!(
        format!("{error:?}").contains("ProtocolVersion"),
        "{error:?}"
    );
}
